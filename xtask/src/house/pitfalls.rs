//! Every trap of the field that is known has a test that falls into it when the code does.

use super::rust_files;

/// What can go wrong with inference engines, and the tests that would show it.
const INFERENCE: &[(&str, &[&str])] = &[
    ("perc and percent are 0..1", &["perc_and_percent_gauges_of_engines_are_ratios_already"]),
    (
        "types and units that are not what the name says",
        &[
            "iteration_tokens_total_is_a_histogram",
            "the_high_water_mark_of_llamacpp_is_no_counter",
            "triton_counts_microseconds_and_its_histograms_milliseconds",
            "sglang_transfers_are_milliseconds_and_mib",
        ],
    ),
    (
        "pinned, resident and reserved",
        &[
            "kv_gauges_that_count_reusable_prefixes_are_flagged",
            "the_reservation_of_tgi_is_not_taken_for_pinned",
        ],
    ),
    ("capacity by multiplication", &["kv_capacity_is_read_from_tokens_and_only_else_from_blocks"]),
    ("prefix hits counted on every retry", &["prefix_hits_come_from_cached_prompt_tokens"]),
    ("several processes of one server", &["copies_by_process_stay_apart"]),
    ("resets of some series only", &["increases_go_on_from_window_to_window_and_over_resets"]),
    ("ranks", &["data_parallel_ranks_stay_apart_and_tensor_ranks_count_once"]),
    (
        "coarse and different bucket edges",
        &[
            "coarse_first_buckets_are_flagged",
            "a_quantile_over_engines_uses_the_edges_that_all_have",
        ],
    ),
    ("three kinds of token gap", &["token_gap_and_time_per_token_are_two_metrics"]),
    ("a time as a value", &["the_value_of_lora_requests_info_is_no_count"]),
    (
        "one model, several labels, or none",
        &[
            "the_model_has_one_label_whatever_the_engine_calls_it",
            "an_engine_whose_page_names_no_model_is_asked_for_it",
            "an_engine_without_the_model_on_its_page_has_the_one_it_told",
        ],
    ),
    ("a thousand buckets", &["the_thousand_buckets_of_tgi_are_not_stored"]),
    (
        "the same thing seen twice",
        &[
            "copies_of_a_router_are_not_added_to_its_engines",
            "the_duplicate_counters_of_ray_are_used_once",
            "the_native_host_hides_an_exporter_on_the_same_host_only",
            "a_gpu_behind_two_exporters_is_one_gpu",
        ],
    ),
    ("values per log interval", &["counters_updated_per_log_interval_are_flagged_stale"]),
];

/// What can go wrong with devices and hosts.
const HARDWARE: &[(&str, &[&str])] = &[
    (
        "milliwatts, microjoules, MiB, words of four bytes",
        &[
            "power_is_milliwatts_on_gaudi_and_in_slurm",
            "amd_energy_is_microjoules_and_memory_mib",
            "ascend_has_mb_for_hbm_kb_for_vnpu_and_minus_one_for_nothing",
            "infiniband_words_are_multiplied_once",
        ],
    ),
    ("a ratio of 0..100", &["a_ratio_is_a_hundredth_only_for_hami"]),
    ("the last XID", &["the_last_xid_is_no_counter"]),
    ("idle partitions", &["idle_partitions_of_amd_are_missing_and_not_zero"]),
    (
        "values that mean none",
        &["dcgm_blanks_are_no_values", "an_unknown_network_speed_is_no_value"],
    ),
    ("command lines", &["command_lines_of_processes_are_not_exported"]),
    ("sums beside their parts", &["totals_of_pods_are_not_added_to_their_containers"]),
];

/// What can go wrong with ownership.
const SCHEDULING: &[(&str, &[&str])] = &[
    (
        "a device guessed from an order",
        &[
            "a_device_is_never_guessed_from_an_order",
            "the_driver_says_which_minor_is_which_uuid",
            "jobs_of_both_versions_are_found_with_their_devices",
        ],
    ),
    ("spellings of a device", &["every_spelling_of_a_device_is_read"]),
    ("pods that have ended", &["uids_come_from_the_checkpoint_and_pods_that_ended_hold_nothing"]),
    ("drivers of control groups", &["both_drivers_and_both_versions_are_read"]),
    ("a folder by SLUID", &["a_folder_named_by_sluid_is_no_job_id"]),
    (
        "an API server that forgets, or takes another token",
        &[
            "pods_are_listed_in_pages_and_followed_to_the_top_of_their_owners",
            "a_rotated_token_is_read_again",
        ],
    ),
    ("rights that are missing", &["what_may_not_be_read_is_told_and_the_rest_goes_on"]),
    ("allocated is not used", &["use_and_allocation_are_put_together"]),
    (
        "memory guessed between holders",
        &["memory_is_the_processes_own_and_never_guessed_between_holders"],
    ),
];

#[test]
fn every_known_pitfall_has_its_test() {
    let root = crate::check::root().join("crates");
    let files = rust_files(&root);
    let text: String = files.iter().map(|file| std::fs::read_to_string(file).unwrap()).collect();
    let missing: Vec<String> = INFERENCE
        .iter()
        .chain(HARDWARE)
        .chain(SCHEDULING)
        .flat_map(|(trap, tests)| tests.iter().map(move |test| (trap, test)))
        .filter(|(_, test)| {
            let found = text.split_once(&format!("fn {test}("));
            // The attribute stands right before it.
            !found.is_some_and(|(before, _)| {
                let before = before.trim_end();
                before.strip_suffix("async").unwrap_or(before).trim_end().ends_with(']')
            })
        })
        .map(|(trap, test)| format!("{trap}: there is no test {test}"))
        .collect();
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}
