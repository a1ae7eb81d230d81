//! Pods, their owners, and the nodes they are on.

use super::*;

#[tokio::test]
async fn pods_are_listed_in_pages_and_followed_to_the_top_of_their_owners() {
    let play = Play { page: Some(2), expires: 1, ..cluster() };
    let (server, url) = serve(play).await;
    let mut asked = inside(&url, None);
    let found = asked.ask_until("kubernetes/pods", |lines| !lines.is_empty()).await;
    let workload = |pod: &str| only(&found, "k8s_pod_workload_info", pod)[0].to_owned();
    let chat = workload("vllm-chat-fd9d9849b-6vvvz");
    for part in [
        "workload=\"vllm-chat\"",
        "workload_kind=\"Deployment\"",
        "team=\"search\"",
        "cost_center=\"cc7\"",
        "node=\"gpu-node-1\"",
        "confidence=\"high\"",
    ] {
        assert!(chat.contains(part), "{part}: {chat}");
    }
    let train = workload("pretrain-2zsvd");
    assert!(train.contains("workload=\"llama-pretrain\""), "{train}");
    assert!(train.contains("workload_kind=\"TrainJob\""), "{train}");
    assert!(train.contains("team=\"research\""), "by the namespace: {train}");
    assert_eq!(only(&found, "k8s_pod_info", "").len(), 6, "{found:#?}");
    let requested = only(&found, "gpu_requested", "6vvvz");
    assert_eq!(requested.len(), 1);
    assert!(requested[0].ends_with(" 2") && requested[0].contains("nvidia_com_gpu"));
    let pending = only(&found, "k8s_pod_pending_seconds", "");
    assert_eq!(pending.len(), 1, "{pending:?}");
    assert!(pending[0].contains("reason=\"insufficient_gpu\"") && pending[0].ends_with(" 120"));
    let memory = only(&found, "k8s_pod_resource_request", "resource=\"memory\"");
    assert!(memory[0].ends_with(" 68719476736"), "{memory:?}");
    let facts = asked.book.facts("ml-team-a", "vllm-chat-fd9d9849b-6vvvz").unwrap();
    assert_eq!((&*facts.workload, facts.ended), ("vllm-chat", false));
    // Pages of two; the second list began anew because the first had expired.
    let server = server.lock().unwrap();
    let lists = server.asked.iter().filter(|one| one.starts_with("/api/v1/pods?"));
    let lists: Vec<_> = lists.filter(|one| !one.contains("watch=true")).collect();
    assert_eq!(lists.len(), 5, "{lists:?}");
    let owners = server.asked.iter().filter(|one| one.contains("/replicasets/")).count();
    assert_eq!(owners, 1, "an owner is asked for once");
}

#[tokio::test]
async fn a_watch_adds_and_removes_pods() {
    let mut play = cluster();
    // The captured watch begins with what the list has; only what comes after it is new.
    let events: Vec<_> = EVENTS.lines().skip(6).collect();
    play.watch.insert("/api/v1/pods".to_owned(), format!("{}\n", events.join("\n")));
    let (_server, url) = serve(play).await;
    let mut asked = inside(&url, None);
    let came =
        |lines: &[String]| !only(lines, "k8s_pod_info", "vllm-chat-fd9d9849b-gdcdf").is_empty();
    let found = asked.ask_until("kubernetes/pods", came).await;
    assert!(only(&found, "k8s_pod_info", "vllm-chat-fd9d9849b-6vvvz").is_empty());
    assert_eq!(only(&found, "k8s_pod_info", "").len(), 6);
}

#[tokio::test]
async fn a_node_tells_its_product_room_and_conditions() {
    let (server, url) = serve(cluster()).await;
    let mut asked = inside(&url, Some("gpu-node-0"));
    let found = lines(&asked.ask("kubernetes/nodes").await.unwrap());
    let topology = only(&found, "k8s_node_topology_info", "gpu-node-0");
    assert!(topology[0].contains("gpu_product=\"NVIDIA-H200\""), "{topology:?}");
    let room = only(&found, "gpu_node_capacity", "gpu-node-0");
    assert!(room[0].ends_with(" 8"), "{room:?}");
    let ready = only(&found, "k8s_node_condition", "condition=\"Ready\"");
    assert!(ready.iter().any(|line| line.contains("status=\"true\"") && line.ends_with(" 1")));
    let asked = server.lock().unwrap().asked.clone();
    assert!(asked[0].contains("fieldSelector=metadata.name%3Dgpu-node-0"), "{asked:?}");
}
