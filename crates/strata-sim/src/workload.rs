//! Who uses the cluster: tenants with their rates, lengths and habits on a calm day.

/// Who uses the API: name, organisation, team and served model.
pub(crate) struct TenantPlace {
    pub(crate) name: &'static str,
    pub(crate) organisation: &'static str,
    pub(crate) team: &'static str,
    pub(crate) served: usize,
    /// Conversations per second for each replica of the model.
    pub(crate) rate: f64,
    pub(crate) prompt: (f64, f64),
    pub(crate) output: (f64, f64),
    pub(crate) max_tokens: f64,
    pub(crate) system: f64,
    pub(crate) turns: (f64, f64),
    pub(crate) patience: f64,
    pub(crate) burst: (f64, f64, f64),
}

/// Lengths follow the means and medians published with the Azure LLM inference traces (chat: 1155
/// in, 211 out; code: 2048 in, 28 out); agents take long contexts and many turns as in Mooncake's
/// tool traces.
pub(crate) const TENANTS: [TenantPlace; 4] = [
    TenantPlace {
        name: "web-chat",
        organisation: "acme",
        team: "assistants",
        served: 0,
        rate: 1.1,
        prompt: (420.0, 0.9),
        output: (230.0, 0.7),
        max_tokens: 512.0,
        system: 320.0,
        turns: (0.55, 25.0),
        patience: 30.0,
        burst: (1.8, 60.0, 900.0),
    },
    TenantPlace {
        name: "code-assistant",
        organisation: "acme",
        team: "developer-tools",
        served: 0,
        rate: 1.3,
        prompt: (1300.0, 0.9),
        output: (48.0, 0.9),
        max_tokens: 128.0,
        system: 640.0,
        turns: (0.25, 15.0),
        patience: 15.0,
        burst: (2.2, 30.0, 600.0),
    },
    TenantPlace {
        name: "agents",
        organisation: "globex",
        team: "agents",
        served: 1,
        rate: 0.20,
        prompt: (900.0, 0.8),
        output: (380.0, 0.7),
        max_tokens: 1024.0,
        system: 1200.0,
        turns: (0.75, 4.0),
        patience: 60.0,
        burst: (1.6, 90.0, 900.0),
    },
    TenantPlace {
        name: "summaries",
        organisation: "initech",
        team: "search",
        served: 1,
        rate: 0.12,
        prompt: (5200.0, 0.6),
        output: (420.0, 0.4),
        max_tokens: 1024.0,
        system: 160.0,
        turns: (0.0, 10.0),
        patience: 120.0,
        burst: (1.5, 120.0, 1200.0),
    },
];

/// Values of a tenant's knobs, for `replicas` replicas of its model.
pub(crate) fn tenant_defaults(tenant: &TenantPlace, replicas: usize) -> Vec<f64> {
    vec![
        tenant.rate * replicas as f64,
        0.25,
        tenant.burst.0,
        tenant.burst.1,
        tenant.burst.2,
        tenant.prompt.0,
        tenant.prompt.1,
        tenant.output.0,
        tenant.output.1,
        tenant.max_tokens,
        tenant.system,
        tenant.turns.0,
        tenant.turns.1,
        tenant.patience,
    ]
}
