//! Slurm's words for devices and nodes: `gres/gpu=4`, `gpu:h100:2(IDX:0-1)`, `shard:2(IDX:3)`,
//! `n[1-3,7]`.

/// Names of one list: the largest jobs span ten thousand nodes.
const NAMES_MAX: usize = 16_384;
/// Brackets of one name: rack, chassis, node.
const DIMENSIONS_MAX: usize = 4;
/// Devices of a node.
const DEVICES_MAX: usize = 256;

/// What Slurm calls the parts that it cuts GPUs into: slots, and percent of a GPU under MPS.
const SHARED: [&str; 2] = ["shard", "mps"];

/// GPUs of one node that a job holds, or holds a part of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NodeDevices {
    pub(super) node: String,
    /// Indices in the node's own list, as its device files are numbered.
    pub(super) indices: Vec<u32>,
    /// `exclusive`, `shard`, `mps`.
    pub(super) sharing: &'static str,
}

impl NodeDevices {
    /// `gpu:h100:2(IDX:0-1)`, `shard:2(IDX:3)`; `None` without GPUs or without indices.
    pub(super) fn read(node: String, detail: &str) -> Option<Self> {
        let held = |wanted: &str| parts(detail).into_iter().find(|part| kind(part) == wanted);
        let shared = || SHARED.into_iter().find_map(|kind| Some((kind, held(kind)?)));
        let (sharing, gpu) = held("gpu").map(|part| ("exclusive", part)).or_else(shared)?;
        let list = gpu.split_once("(IDX:")?.1.split(')').next()?;
        let indices: Vec<u32> = ranges(list).take(DEVICES_MAX).collect();
        (!indices.is_empty()).then_some(Self { node, indices, sharing })
    }
}

/// Parts of GPUs, by what they are called: `shard` and `mps` are units of their own.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Parts([f64; SHARED.len()]);

impl Parts {
    /// In `gres:shard:2`, `gpu:h100:4,shard:h100:16`, or `cpu=1,gres/shard=2`.
    pub(super) fn read(text: &str) -> Self {
        let amounts = SHARED.map(|wanted| {
            let of_kind = parts(text).into_iter().filter(|part| kind(part) == wanted);
            of_kind.map(amount).sum::<f64>()
        });
        Self(amounts)
    }

    /// How many GPUs these are, on a node with so many GPUs that is cut into `whole`; `None` where
    /// there are no parts or the node says nothing of them.
    pub(super) fn in_gpus(self, gpus: f64, whole: Self) -> Option<f64> {
        let pairs = self.0.into_iter().zip(whole.0);
        let shares = pairs.filter(|(part, whole)| *part > 0.0 && *whole > 0.0);
        let shares: Vec<f64> = shares.map(|(part, whole)| part * gpus / whole).collect();
        (!shares.is_empty()).then(|| shares.iter().sum())
    }
}

/// GPUs in `cpu=8,gres/gpu=4,gres/gpu:h100=4`: the total, else the sum of the types.
pub(super) fn of_tres(tres: &str) -> Option<f64> {
    let mut typed = None;
    for (name, amount) in tres.split(',').filter_map(|part| part.split_once('=')) {
        let Ok(amount) = amount.parse::<f64>() else { continue };
        if name == "gres/gpu" {
            return Some(amount);
        }
        if name.starts_with("gres/gpu:") {
            typed = Some(typed.unwrap_or(0.0) + amount);
        }
    }
    typed
}

/// GPUs in `gpu:h100:8(S:0-1),nic:2`, `gres:gpu:2`, `gres/gpu:h100:2`.
pub(super) fn of_gres(gres: &str) -> Option<f64> {
    let mut total = None;
    for part in parts(gres) {
        if kind(part) != "gpu" {
            continue;
        }
        total = Some(total.unwrap_or(0.0) + amount(part));
    }
    total
}

/// The number at the end; "gpu" or "gpu:h100" without one is one.
fn amount(part: &str) -> f64 {
    let plain = part.split('(').next().unwrap_or_default();
    let last = plain.rsplit([':', '=']).next().unwrap_or_default();
    last.parse::<f64>().ok().filter(|amount| amount.is_finite()).unwrap_or(1.0)
}

/// How many tasks an array that waits still has: 3 in `1-3%1`, 4 in `0-6:2`. A list that Slurm cut
/// short (`...`) is counted as far as it is told, so never too many.
pub(super) fn tasks(array: &str) -> f64 {
    let list = array.split('%').next().unwrap_or_default();
    let count = |part: &str| {
        let (range, step) = part.split_once(':').unwrap_or((part, "1"));
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let (first, last) = (first.trim().parse::<u32>().ok()?, last.trim().parse::<u32>().ok()?);
        let step = step.trim().parse::<u32>().ok().filter(|step| *step > 0)?;
        Some(f64::from(last.checked_sub(first)? / step) + 1.0)
    };
    list.trim_matches(['[', ']']).split(',').filter_map(count).sum::<f64>().max(1.0)
}

/// Split at commas that are not inside of parentheses or brackets.
fn parts(list: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let (mut depth, mut start) = (0_usize, 0);
    for (at, byte) in list.bytes().enumerate() {
        match byte {
            b'(' | b'[' => depth += 1,
            b')' | b']' => depth = depth.saturating_sub(1),
            b',' if depth == 0 => {
                found.extend(list.get(start..at));
                start = at + 1;
            }
            _ => {}
        }
    }
    found.extend(list.get(start..));
    found
}

/// The name of a generic resource, without the prefix.
fn kind(part: &str) -> &str {
    let part = part.trim();
    let part = part.strip_prefix("gres:").or_else(|| part.strip_prefix("gres/")).unwrap_or(part);
    part.split([':', '(', '=']).next().unwrap_or_default()
}

/// Numbers of `0-1,3`.
fn ranges(list: &str) -> impl Iterator<Item = u32> {
    list.split(',').flat_map(|part| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        match (first.trim().parse::<u32>(), last.trim().parse::<u32>()) {
            (Ok(first), Ok(last)) => first..last.saturating_add(1),
            _ => 0..0,
        }
    })
}

/// The names in `n[1-3,07],login`, with leading zeros kept.
pub(super) fn expand(list: &str) -> Vec<String> {
    let mut found = Vec::new();
    for part in parts(list).into_iter().map(str::trim).filter(|part| !part.is_empty()) {
        let names = expand_one(part, DIMENSIONS_MAX);
        for name in names {
            if found.len() == NAMES_MAX {
                return found;
            }
            found.push(name);
        }
    }
    found
}

fn expand_one(part: &str, depth: usize) -> Vec<String> {
    let open = part.split_once('[').filter(|_| depth > 0);
    let Some((before, (inside, after))) =
        open.and_then(|(before, rest)| Some((before, rest.split_once(']')?)))
    else {
        return vec![part.to_owned()];
    };
    let mut found = Vec::new();
    for range in inside.split(',') {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let (Ok(from), Ok(to)) = (first.parse::<u32>(), last.parse::<u32>()) else {
            return vec![part.to_owned()];
        };
        let width = first.len();
        for number in (from..=to).take(NAMES_MAX) {
            for rest in expand_one(after, depth - 1) {
                if found.len() == NAMES_MAX {
                    return found;
                }
                found.push(format!("{before}{number:0width$}{rest}"));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn amounts_are_read() {
        let check = |tres: &str, expected| assert_eq!(of_tres(tres), expected, "{tres}");
        check("cpu=1,node=1,gres/gpu=4", Some(4.0));
        check("gres/gpu:h100=2,gres/gpu:a100=1", Some(3.0));
        check("gres/gpu:h100=2,gres/gpu=2", Some(2.0));
        check("gres/gpumem=2,cpu=1", None);
        check("", None);
        let check = |gres: &str, expected| assert_eq!(of_gres(gres), expected, "{gres}");
        check("gpu:2", Some(2.0));
        check("gres:gpu:2", Some(2.0));
        check("gres/gpu:h100:8", Some(8.0));
        check("gpu:h100:8(S:0-1),nic:2", Some(8.0));
        check("gpu", Some(1.0));
        check("nic:2", None);
        check("(null)", None);
    }

    #[test]
    fn parts_of_gpus_are_measured_by_the_node_they_are_on() {
        let check = |job: &str, node: &str, expected| {
            let gpus = of_gres(node).unwrap_or(0.0);
            assert_eq!(Parts::read(job).in_gpus(gpus, Parts::read(node)), expected, "{job}");
        };
        // As Slurm 22.05.8 wrote them.
        let node = "gpu:h100:4,shard:h100:16";
        check("gres:shard:2", node, Some(0.5));
        check("gres:gpu:2", node, None);
        check("cpu=1,gres/mps=50", "gpu:2,mps:200", Some(0.5));
        check("gres:shard:2", "gpu:h100:4", None);
        let devices = NodeDevices::read("n".to_owned(), "shard:2(IDX:3)").unwrap();
        assert_eq!((&*devices.indices, devices.sharing), (&[3][..], "shard"));
        let both = "gpu:h100:2(IDX:0-1),shard:1(IDX:3)";
        assert_eq!(NodeDevices::read("n".to_owned(), both).unwrap().sharing, "exclusive");
    }

    #[test]
    fn tasks_of_an_array_are_counted() {
        let check = |array: &str, expected: f64| assert_eq!(tasks(array), expected, "{array}");
        check("1-3%1", 3.0);
        check("[2-3%1]", 2.0);
        check("7", 1.0);
        check("1,3,5-7%4", 5.0);
        check("0-6:2", 4.0);
        check("1-4,9-...", 4.0);
        check("", 1.0);
        check("4294967295-0", 1.0);
    }

    #[test]
    fn lists_of_nodes_are_expanded() {
        let check = |list: &str, expected: &[&str]| assert_eq!(expand(list), expected, "{list}");
        check("vm", &["vm"]);
        check("n[1-3,7],login", &["n1", "n2", "n3", "n7", "login"]);
        check("n[08-10]-ib", &["n08-ib", "n09-ib", "n10-ib"]);
        check("r[1-2]n[1-2]", &["r1n1", "r1n2", "r2n1", "r2n2"]);
        check("n[x]", &["n[x]"]);
        check("", &[]);
        assert_eq!(expand("n[0-4294967295]").len(), NAMES_MAX);
        assert_eq!(expand("a[0-65535]b[0-65535]").len(), NAMES_MAX);
    }

    proptest! {
        #[test]
        fn any_text_is_survived(text: String) {
            let _ = (of_tres(&text), of_gres(&text), expand(&text));
            let parts = Parts::read(&text);
            let _ = (tasks(&text), parts.in_gpus(1.0, parts));
            let _ = NodeDevices::read(String::new(), &text);
        }
    }
}
