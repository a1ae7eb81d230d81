//! Warnings, and why a pod waits.

use super::*;

#[tokio::test]
async fn warnings_are_counted_by_object_and_reason() {
    let mut play = cluster();
    let events = serde_json::from_str(fixture!("events-list-v1.20.2.json")).unwrap();
    play.answers.insert("/api/v1/events".to_owned(), events);
    let (server, url) = serve(play).await;
    let found = lines(&inside(&url, None).ask("kubernetes/events").await.unwrap());
    assert!(found.iter().all(|line| line.contains("reason=\"FailedScheduling\"")), "{found:#?}");
    let first = only(&found, "k8s_events", "pod=\"pretrain-2zsvd\"");
    assert!(first[0].ends_with(" 2"), "{first:?}");
    assert!(first[0].contains("why=\"taint\""), "{first:?}");
    assert!(server.lock().unwrap().asked[0].contains("fieldSelector=type%3DWarning"));
    let on_a_node = inside(&url, Some("n1")).collectors;
    assert!(on_a_node.iter().all(|one| one.id() != "kubernetes/events"));
}

/// A warning about a pod, seen at a second of a minute.
fn warning(pod: &str, second: u32, (reason, message): (&str, &str)) -> Json {
    json!({ "metadata": { "namespace": "ml-team-a", "name": format!("{pod}.{second}") },
        "type": "Warning", "reason": reason, "message": message,
        "eventTime": format!("2026-11-22T10:47:{second:02}.5Z"),
        "involvedObject": { "kind": "Pod", "namespace": "ml-team-a", "name": pod, "uid": pod } })
}

#[tokio::test]
async fn a_pod_whose_condition_says_nothing_waits_for_what_its_newest_event_says() {
    let mut play = cluster();
    let pod = |name: &str| {
        json!({ "metadata": { "namespace": "ml-team-a", "name": name, "uid": name,
                "creationTimestamp": "2026-11-22T10:40:00Z" },
            "spec": { "schedulerName": "hami-scheduler", "containers": [{ "name": "c",
                "resources": { "limits": { "nvidia.com/gpu": "1" } } }] },
            "status": { "phase": "Pending" } })
    };
    let list = |items: Vec<Json>| json!({ "metadata": { "resourceVersion": "1" }, "items": items });
    play.answers.insert("/api/v1/pods".to_owned(), list(vec![pod("told"), pod("untold")]));
    let older = warning("told", 1, ("FailedScheduling", "0/1 nodes are available: 1 taint"));
    let newer = "0/1 nodes are available: 1 Insufficient nvidia.com/gpu.";
    // Of an earlier pod with the same name.
    let mut before = warning("untold", 9, ("FailedScheduling", newer));
    before["involvedObject"]["uid"] = json!("another");
    let events = vec![warning("told", 9, ("FailedScheduling", newer)), older, before];
    play.answers.insert("/api/v1/events".to_owned(), list(events));
    let (_server, url) = serve(play).await;
    let mut asked = inside(&url, None);
    asked.ask("kubernetes/events").await.unwrap();
    let found = lines(&asked.ask("kubernetes/pods").await.unwrap());
    let told = only(&found, "k8s_pod_pending_seconds", "pod=\"told\"");
    assert!(told[0].contains("reason=\"insufficient_gpu\""), "{told:?}");
    assert!(told[0].contains("resource=\"nvidia_com_gpu\""), "{told:?}");
    let untold = only(&found, "k8s_pod_pending_seconds", "pod=\"untold\"");
    assert!(untold[0].contains("reason=\"not_tried\""), "{untold:?}");
}
