//! The manifests for Kubernetes, held against what the program reads.

use serde_json::Value as Json;

use crate::program::{House, stderr};

const PAGE: &str = include_str!("../../../../docs/deploy/kubernetes.md");

/// The blocks of one language of the page.
fn blocks(language: &str) -> Vec<&'static str> {
    let begin = format!("```{language}\n");
    PAGE.split(&*begin).skip(1).map(|rest| rest.split("```").next().unwrap()).collect()
}

/// All objects of the page.
fn objects() -> Vec<Json> {
    let texts = blocks("yaml").into_iter().flat_map(|block| block.split("\n---\n"));
    texts
        .map(|text| serde_saphyr::from_str(text).unwrap_or_else(|e| panic!("{e}: {text}")))
        .collect()
}

fn of_kind(kind: &str) -> Json {
    let found = objects().into_iter().find(|object| object["kind"] == kind);
    found.unwrap_or_else(|| panic!("no {kind}"))
}

fn pod() -> Json {
    of_kind("DaemonSet")["spec"]["template"]["spec"].clone()
}

/// The agent's configuration, as the `ConfigMap` has it.
fn configuration() -> String {
    of_kind("ConfigMap")["data"]["strata.toml"].as_str().unwrap().to_owned()
}

/// The value of a plain key of the configuration.
fn told(key: &str) -> String {
    let text = configuration();
    let line = text.lines().find(|line| line.starts_with(&format!("{key} = "))).unwrap();
    line.split('"').nth(1).unwrap().to_owned()
}

#[test]
fn every_configuration_of_the_page_is_understood() {
    let mut all: Vec<String> = blocks("toml").into_iter().map(str::to_owned).collect();
    all.push(configuration());
    assert!(all.len() >= 2, "the page has configurations");
    for text in all {
        // Elsewhere than in a cluster it finds no API server; what is wrong with the file is code 2.
        let output = House::with_config(&text).run(&["check", "--config", "strata.toml"]);
        assert_ne!(output.status.code(), Some(2), "{text}\n{}", stderr(&output));
    }
    let output = House::with_config("[kubernetes]\nscop = \"node\"\n");
    let output = output.run(&["check", "--config", "strata.toml"]);
    assert_eq!(output.status.code(), Some(2), "a slip would be told");
}

#[test]
fn the_agent_is_given_what_its_configuration_names() {
    let pod = pod();
    assert_eq!(pod["hostPID"], true, "else it sees its own processes only");
    assert_eq!(pod["serviceAccountName"], of_kind("ServiceAccount")["metadata"]["name"]);
    let container = &pod["containers"][0];
    let mounts: Vec<&Json> = container["volumeMounts"].as_array().unwrap().iter().collect();
    let volumes = pod["volumes"].as_array().unwrap();
    for mount in &mounts {
        let volume = volumes.iter().find(|volume| volume["name"] == mount["name"]);
        assert!(volume.is_some(), "{mount} has no volume");
    }
    let mounted = |path: &str| mounts.iter().find(|mount| mount["mountPath"] == path).unwrap();
    let volume =
        |mount: &Json| volumes.iter().find(|volume| volume["name"] == mount["name"]).unwrap();
    let root = told("host_root");
    assert_eq!(volume(mounted(&root))["hostPath"]["path"], "/", "{root} is the host's root");
    assert_eq!(mounted(&root)["readOnly"], true);
    assert_ne!(mounted(&told("data_dir"))["readOnly"], true);
    let args: Vec<&str> =
        container["args"].as_array().unwrap().iter().filter_map(Json::as_str).collect();
    let file = args.iter().skip_while(|arg| **arg != "--config").nth(1).unwrap();
    let (folder, name) = file.rsplit_once('/').unwrap();
    assert_eq!(
        volume(mounted(folder))["configMap"]["name"],
        of_kind("ConfigMap")["metadata"]["name"]
    );
    assert!(of_kind("ConfigMap")["data"][name].is_string(), "{name}");
    let node = container["env"].as_array().unwrap();
    assert!(node.iter().any(|one| one["name"] == "NODE_NAME"), "series of the node meet by name");
}

#[test]
fn the_agent_takes_no_gpu_away() {
    let pod = pod();
    assert_eq!(pod["containers"].as_array().map(Vec::len), Some(1));
    for bound in ["requests", "limits"] {
        let resources = pod["containers"][0]["resources"][bound].as_object();
        for name in resources.into_iter().flat_map(|resources| resources.keys()) {
            assert!(["cpu", "memory", "ephemeral-storage"].contains(&&**name), "{bound}: {name}");
        }
    }
    // It runs on tainted GPU nodes too, and writes nothing to the cluster.
    assert_eq!(pod["tolerations"][0]["operator"], "Exists");
    let rules = of_kind("ClusterRole")["rules"].clone();
    let verbs = rules.as_array().unwrap().iter().flat_map(|rule| rule["verbs"].as_array().unwrap());
    for verb in verbs {
        assert!(["get", "list", "watch"].contains(&verb.as_str().unwrap()), "{verb}");
    }
}
