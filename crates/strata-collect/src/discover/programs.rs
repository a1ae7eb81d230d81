//! Programs worth asking, how to know them by their command line, and how to make them talk.

/// A program that is likely to have a metrics page.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Program {
    /// What people call it.
    pub(crate) name: &'static str,
    /// Lower-case texts; any of them in the command line makes it likely.
    marks: &'static [&'static str],
    /// How to switch its metrics on; empty when there is nothing to switch.
    pub(crate) hint: &'static str,
}

/// In order: the first that fits names the process.
const PROGRAMS: &[Program] = &[
    Program {
        name: "vLLM",
        marks: &["vllm"],
        hint: "vLLM serves /metrics on its API port unless started with --disable-log-stats",
    },
    Program { name: "SGLang", marks: &["sglang"], hint: "start SGLang with --enable-metrics" },
    Program {
        name: "llama-server",
        marks: &["llama-server", "llama_cpp.server"],
        hint: "start llama-server with --metrics",
    },
    Program {
        name: "TGI",
        marks: &["text-generation"],
        hint: "text-generation-router serves /metrics on its --port or --prometheus-port",
    },
    Program {
        name: "TensorRT-LLM",
        marks: &["trtllm-serve", "tensorrt_llm"],
        hint: "set return_perf_metrics: true; the page is /prometheus/metrics",
    },
    Program {
        name: "Triton",
        marks: &["tritonserver"],
        hint: "Triton serves /metrics on --metrics-port (8002) unless --allow-metrics=false",
    },
    Program {
        name: "LMDeploy",
        marks: &["lmdeploy"],
        hint: "start LMDeploy's api_server with --enable-metrics",
    },
    Program {
        name: "Dynamo",
        marks: &["dynamo.", "dynamo-run", "ai-dynamo"],
        hint: "set DYN_SYSTEM_PORT for the workers; the frontend serves /metrics itself",
    },
    Program {
        name: "Ollama",
        marks: &["ollama"],
        hint: "Ollama has no metrics page; its requests can only be seen by a proxy in front of it",
    },
    Program {
        name: "Ray",
        marks: &["raylet", "ray::", "ray/dashboard"],
        hint: "start Ray with --metrics-export-port=8080",
    },
    Program { name: "DCGM exporter", marks: &["dcgm-exporter"], hint: "" },
    Program {
        name: "GPU exporter",
        marks: &["nvidia_gpu_exporter", "nvitop-exporter", "all-smi"],
        hint: "",
    },
    Program { name: "node_exporter", marks: &["node_exporter", "node-exporter"], hint: "" },
    Program { name: "Python", marks: &["python"], hint: "" },
];

/// Ports programs of AI infrastructure use unless told otherwise.
pub(crate) const KNOWN_PORTS: &[u16] = &[
    8000,  // vLLM, TensorRT-LLM, NIM, Dynamo frontend
    8080,  // llama-server, TGI, Ray, many
    8081,  // Dynamo system port, llama-server
    8002,  // Triton
    8265,  // Ray dashboard
    8888,  // all-smi
    9090,  // llm-d endpoint picker
    9100,  // node_exporter
    9400,  // DCGM exporter
    9445,  // nvidia exporters
    9835,  // nvidia_gpu_exporter
    5000,  // AMD device metrics exporter
    23333, // LMDeploy
    30000, // SGLang
    11434, // Ollama
];

/// Where torch's rendezvous listens by default, and some ports after it for further jobs: a strange
/// request there can end a training run.
const RENDEZVOUS_PORTS: std::ops::RangeInclusive<u16> = 29_500..=29_599;
/// From here on the kernel hands out ports by itself (`ip_local_port_range`). NCCL, gloo and message
/// queues listen there for their own kind, and old NCCL versions do not survive a stranger.
const EPHEMERAL_PORTS_FROM: u16 = 32_768;

/// The program a command line belongs to.
pub(crate) fn program_of(command: &str) -> Option<&'static Program> {
    let command = command.to_ascii_lowercase();
    PROGRAMS.iter().find(|program| program.marks.iter().any(|mark| command.contains(mark)))
}

/// Whether a port of a likely process may be asked: only where an HTTP server is to be expected.
pub(crate) fn may_ask(port: u16, command: &str) -> bool {
    let named = || {
        let port = port.to_string();
        command.split([' ', '=', ':', ',']).any(|word| word == port)
    };
    let quiet = RENDEZVOUS_PORTS.contains(&port) || port >= EPHEMERAL_PORTS_FROM;
    KNOWN_PORTS.contains(&port) || !quiet || (!RENDEZVOUS_PORTS.contains(&port) && named())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_known_by_their_command_line() {
        let check = |command: &str, expected: Option<&str>| {
            assert_eq!(program_of(command).map(|p| p.name), expected, "{command}");
        };
        check("/v/bin/python3 /v/bin/vllm serve tiny", Some("vLLM"));
        check("VLLM::EngineCore", Some("vLLM"));
        check("python -m sglang.launch_server --port 30000", Some("SGLang"));
        check("llama-server -m tiny.gguf --port 8081", Some("llama-server"));
        check("/usr/bin/dcgm-exporter -f counters.csv", Some("DCGM exporter"));
        check("python train.py", Some("Python"));
        check("/usr/sbin/sshd -D", None);
    }

    #[test]
    fn ports_where_programs_talk_among_themselves_are_left_alone() {
        let check = |port: u16, command: &str, expected: bool| {
            assert_eq!(may_ask(port, command), expected, "{port} {command}");
        };
        check(8000, "vllm serve", true);
        check(12_345, "vllm serve", true);
        check(29_500, "torchrun --master-port=29500", false);
        check(41_234, "vllm serve", false);
        check(41_234, "vllm serve --port 41234", true);
        check(41_234, "vllm serve --port=41234", true);
        check(4_123, "vllm serve --port=41234", true);
    }
}
