//! Tokens, rights, and servers that are away.

use super::*;

#[tokio::test]
async fn a_rotated_token_is_read_again() {
    let (server, url) = serve(Play { token: Some("first".to_owned()), ..cluster() }).await;
    let mut asked = inside(&url, None);
    asked.ask("kubernetes/nodes").await.unwrap();
    server.lock().unwrap().token = Some("second".to_owned());
    let error = asked.ask("kubernetes/pods").await.unwrap_err();
    assert_eq!(error.state, SourceState::Denied, "{error:?}");
    assert!(error.hint.contains("token"), "{}", error.hint);
    std::fs::write(asked.folder.path().join("token"), "second").unwrap();
    let harvest = asked.ask("kubernetes/pods").await.unwrap();
    assert_eq!(only(&lines(&harvest), "k8s_pod_info", "").len(), 6);
}

#[tokio::test]
async fn what_may_not_be_read_is_told_and_the_rest_goes_on() {
    let forbidden = vec!["/nodes", "/namespaces?", "replicasets", "trainjobs"];
    let (_server, url) = serve(Play { forbidden, ..cluster() }).await;
    let mut asked = inside(&url, None);
    let error = asked.ask("kubernetes/nodes").await.unwrap_err();
    assert_eq!(error.state, SourceState::Denied);
    assert!(error.hint.contains("list and watch of nodes"), "{}", error.hint);
    let error = asked.ask("kubernetes/claims").await.unwrap_err();
    assert_eq!(error.state, SourceState::Unsupported, "no claims in Kubernetes 1.20");
    for _ in 0..2 {
        let harvest = asked.ask("kubernetes/pods").await.unwrap();
        let found = lines(&harvest);
        let chat = only(&found, "k8s_pod_workload_info", "6vvvz")[0];
        assert!(chat.contains("workload=\"vllm-chat-fd9d9849b\""), "{chat}");
        assert!(chat.contains("confidence=\"medium\""), "{chat}");
        let told = |kind: &str| harvest.faults.iter().any(|fault| fault.message.contains(kind));
        assert!(told("ReplicaSet") && told("TrainJob"), "{:?}", harvest.faults);
    }
}

#[tokio::test]
async fn a_kubeconfig_leads_to_the_same_server() {
    let (_server, url) = serve(Play { token: Some("t".to_owned()), ..cluster() }).await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config");
    let file = format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: other\nclusters:\n- name: c\n  cluster:\n    \
         server: {url}\nusers:\n- name: u\n  user:\n    token: t\ncontexts:\n- name: here\n  context:\n    \
         cluster: c\n    user: u\n"
    );
    std::fs::write(&path, file).unwrap();
    let settings = KubernetesOptions::default().validate().unwrap();
    let nothing: crate::scrape::Environment = Arc::new(|_name| None);
    let ask = async |context: Option<&str>| {
        let entrance = Entrance::find(Some(&path), context, &nothing).unwrap();
        let mut all = collectors(&settings, entrance, None, &PodBook::default());
        let nodes = all.iter_mut().find(|one| one.id() == "kubernetes/nodes").unwrap();
        nodes.collect(0).await
    };
    assert!(!lines(&ask(Some("here")).await.unwrap()).is_empty());
    let error = ask(None).await.unwrap_err();
    assert!(error.fault.message.contains("other"), "{}", error.fault.message);
    assert!(Entrance::find(None, None, &nothing).is_none());
}

#[tokio::test]
async fn a_server_that_is_away_is_told_as_such() {
    let mut asked = inside("http://127.0.0.1:1", None);
    let error = asked.ask("kubernetes/nodes").await.unwrap_err();
    assert_eq!((error.state, error.fault.code), (SourceState::Failing, FaultCode::Unreachable));
}
