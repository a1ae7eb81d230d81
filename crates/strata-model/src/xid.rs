//! What an XID is about and what NVIDIA says to do at once, from NVIDIA's catalog of XID errors
//! ("Resolution Bucket (Immediate)").

/// The meaning of a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Meaning {
    /// What it is about: `application`, `memory`, `nvlink`, `bus`, `firmware`, `engine`, `power`,
    /// `notice` or `unknown`.
    pub class: &'static str,
    /// NVIDIA's bucket in lower case: `restart_app`, `reset_gpu`, `restart_bm` (the whole machine),
    /// `workflow_xid_48`, `ignore`, ...; `none` where NVIDIA names none.
    pub action: &'static str,
}

/// What is known about a code; NVML reports 999 when it does not know one itself.
pub fn meaning(code: u64) -> Meaning {
    Meaning { class: class(code), action: action(code) }
}

fn action(code: u64) -> &'static str {
    match code {
        79 => "restart_bm",
        46 | 62 | 64 | 95 | 109 | 110 | 119 | 120 | 136 | 140 | 143 | 155 | 156 | 158 => {
            "reset_gpu"
        }
        48 => "workflow_xid_48",
        74 => "workflow_nvlink_err",
        144..=150 => "workflow_nvlink5_err",
        8
        | 11
        | 13
        | 25
        | 31
        | 32
        | 39..=41
        | 60
        | 68..=72
        | 75..=77
        | 80
        | 82..=86
        | 88
        | 89
        | 94
        | 96..=105
        | 126..=135
        | 139 => "restart_app",
        45 => "workflow_xid_45",
        37 | 38 | 43 | 44 | 63 | 66 | 67 | 92 | 93 | 106 | 107 | 121 | 137 | 141 | 152 | 153
        | 157 | 160 | 161 => "ignore",
        54 => "check_mechanicals",
        78 => "update_swfw",
        142 => "contact_support",
        151 => "restart_vm",
        154 => "recovery_action",
        159 => "check_uvm",
        _ => "none",
    }
}

fn class(code: u64) -> &'static str {
    match code {
        48 | 63 | 64 | 92 | 94 | 95 | 140 | 160 | 161 | 171 | 172 => "memory",
        74 | 137 | 144..=150 => "nvlink",
        79 | 167 => "bus",
        62 | 119 | 120 | 158 => "firmware",
        54 | 162..=165 => "power",
        8
        | 11
        | 13
        | 31
        | 32
        | 39..=41
        | 43
        | 44
        | 68..=72
        | 75..=77
        | 80
        | 82..=86
        | 88
        | 89
        | 96..=105
        | 126..=135
        | 139 => "application",
        46 | 109 | 110 | 136 | 143 | 155 | 156 => "engine",
        37 | 38 | 45 | 66 | 67 | 93 | 106 | 107 | 121 | 141 | 152 | 153 | 154 | 157 => "notice",
        _ => "unknown",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_have_nvidias_buckets() {
        let check = |code: u64, class: &'static str, action: &'static str| {
            assert_eq!(meaning(code), Meaning { class, action }, "{code}");
        };
        check(13, "application", "restart_app");
        check(31, "application", "restart_app");
        check(43, "application", "ignore");
        check(45, "notice", "workflow_xid_45");
        check(48, "memory", "workflow_xid_48");
        check(63, "memory", "ignore");
        check(64, "memory", "reset_gpu");
        check(74, "nvlink", "workflow_nvlink_err");
        check(79, "bus", "restart_bm");
        check(94, "memory", "restart_app");
        check(95, "memory", "reset_gpu");
        check(119, "firmware", "reset_gpu");
        check(149, "nvlink", "workflow_nvlink5_err");
        check(154, "notice", "recovery_action");
        check(999, "unknown", "none");
    }
}
