//! What a device plugin or a scheduler gave: fractions and claims.

use super::*;

#[tokio::test]
async fn a_share_that_hami_gave_is_an_allocation() {
    let mut play = cluster();
    let pods = play.answers.get_mut("/api/v1/pods").unwrap();
    pods["items"][0]["metadata"]["annotations"] =
        json!({ "hami.io/vgpu-devices-allocated": "GPU-a,NVIDIA,1024,30:;" });
    let (_server, url) = serve(play).await;
    let mut asked = inside(&url, None);
    let found = asked.ask_until("kubernetes/pods", |lines| !lines.is_empty()).await;
    let edge = only(&found, "gpu_allocation_info", "GPU-a");
    for part in ["container=\"trainer\"", "sharing=\"hami\"", "method=\"annotation\""] {
        assert!(edge[0].contains(part), "{edge:?}");
    }
    let memory = only(&found, "gpu_vgpu_memory_allocated_bytes", "GPU-a");
    assert!(memory[0].ends_with(" 1073741824"), "{memory:?}");
}

#[tokio::test]
async fn a_fraction_of_kai_is_of_the_device_that_is_reserved_for_its_group() {
    let mut play = cluster();
    let pods = &mut play.answers.get_mut("/api/v1/pods").unwrap()["items"];
    // The first holds a device for others; the second has half of it.
    let (group, device) = ("runai-gpu-group", "run.ai/reserve_for_gpu_index");
    pods[0]["metadata"]["labels"] = json!({ group: "g1" });
    pods[0]["metadata"]["annotations"] = json!({ device: "GPU-a" });
    pods[1]["metadata"]["labels"] = json!({ group: "g1" });
    pods[1]["metadata"]["annotations"] = json!({ "gpu-fraction": "0.5" });
    let of = |pod: &Json| format!("pod=\"{}\"", pod["metadata"]["name"].as_str().unwrap());
    let (holder, user) = (of(&pods[0]), of(&pods[1]));
    let (_server, url) = serve(play).await;
    let mut asked = inside(&url, None);
    let found = asked.ask_until("kubernetes/pods", |lines| !lines.is_empty()).await;
    let edges = only(&found, "gpu_allocation_info", "GPU-a");
    assert_eq!(edges.len(), 1, "{edges:?}");
    assert!(edges[0].contains(&user) && edges[0].contains("sharing=\"kai\""), "{edges:?}");
    let cores = only(&found, "gpu_vgpu_core_allocated_ratio", "GPU-a");
    assert!(cores[0].ends_with(" 0.5"), "{cores:?}");
    let requested = only(&found, "gpu_requested", &user);
    let half = |line: &&str| line.contains("nvidia_com_gpu") && line.ends_with(" 0.5");
    assert!(requested.iter().any(half), "{requested:?}");
    assert!(only(&found, "gpu_requested", &holder).is_empty(), "its device is asked for by others");
}

#[tokio::test]
async fn claimed_devices_have_owners_without_any_agent_on_the_node() {
    let mut play = cluster();
    let list = |items: Json| json!({ "metadata": { "resourceVersion": "1" }, "items": items });
    let text = |value: &str| json!({ "string": value });
    play.answers.insert(
        "/apis/resource.k8s.io/v1/resourceslices".to_owned(),
        list(json!([
            { "metadata": { "name": "s" }, "spec": { "driver": "gpu.nvidia.com", "nodeName": "n1",
                "pool": { "name": "n1" }, "devices": [
                    { "name": "gpu-0", "attributes": { "uuid": text("GPU-a") } },
                    { "name": "gpu-1-mig", "basic": { "attributes": { "uuid": text("MIG-b"),
                        "parentUUID": text("GPU-c") } } }] } },
            { "metadata": { "name": "net" }, "spec": { "driver": "dra.net", "nodeName": "n1",
                "pool": { "name": "n1" }, "devices": [{ "name": "gpu-0" }] } },
        ])),
    );
    let result =
        |device: &str| json!({ "driver": "gpu.nvidia.com", "pool": "n1", "device": device });
    let given = json!({ "devices": { "results": [result("gpu-0"), result("gpu-1-mig")] } });
    play.answers.insert(
        "/apis/resource.k8s.io/v1/resourceclaims".to_owned(),
        list(json!([
            { "metadata": { "name": "c", "namespace": "ml" }, "status": { "allocation": given,
                "reservedFor": [{ "resource": "pods", "name": "p", "uid": "u" }] } },
            { "metadata": { "name": "waits", "namespace": "ml" } },
        ])),
    );
    let (_server, url) = serve(play).await;
    let mut asked = inside(&url, None);
    let found = lines(&asked.ask("kubernetes/claims").await.unwrap());
    assert_eq!(found.len(), 2, "{found:?}");
    let whole = only(&found, "gpu_allocation_info", "device=\"gpu-0\"");
    assert!(whole[0].contains("pod=\"p\"") && whole[0].contains("method=\"dra\""), "{whole:?}");
    let part = only(&found, "gpu_allocation_info", "device=\"gpu-1-mig\"");
    assert!(part[0].contains("gpu_uuid=\"GPU-c\""), "the GPU of the instance: {part:?}");
    let key = ["gpu.nvidia.com", "n1", "gpu-0"];
    assert_eq!(asked.book.uuid_of(key[0], key[1], key[2]).as_deref(), Some("GPU-a"));
}

#[tokio::test]
async fn claims_of_an_older_cluster_are_found_under_its_version() {
    let mut play = cluster();
    for plural in ["resourceslices", "resourceclaims"] {
        play.answers.insert(
            format!("/apis/resource.k8s.io/v1beta1/{plural}"),
            json!({ "metadata": { "resourceVersion": "1" }, "items": [] }),
        );
    }
    let (_server, url) = serve(play).await;
    let mut asked = inside(&url, None);
    for _version in ["v1", "v1beta2"] {
        let error = asked.ask("kubernetes/claims").await.unwrap_err();
        assert_eq!(error.state, SourceState::Unsupported);
    }
    asked.ask("kubernetes/claims").await.unwrap();
}
