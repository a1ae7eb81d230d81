//! Room for connections: systems allow a program 1,024 open files unless it asks for more.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Open files beside those of the proxy's connections: the store's, and the server's clients.
const BESIDE: u64 = 1024;

/// Raise the limit of open files so that `connections` of clients, each with one to an upstream, can be
/// open at a time; as far as the system lets a program raise it.
pub(crate) fn make_room(connections: usize) {
    let wanted = (connections as u64).saturating_mul(2).saturating_add(BESIDE);
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    // No limit is named where there is none.
    let Some(current) = current.filter(|current| *current < wanted) else { return };
    let reached = maximum.map_or(wanted, |maximum| maximum.min(wanted)).max(current);
    let raised = setrlimit(Resource::Nofile, Rlimit { current: Some(reached), maximum });
    if reached < wanted || raised.is_err() {
        let open_files = if raised.is_ok() { reached } else { current };
        tracing::warn!(
            open_files,
            wanted,
            "fewer connections than connections_max fit in the limit of open files"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_raised_and_never_lowered() {
        let now = || getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
        let most = getrlimit(Resource::Nofile).maximum.unwrap_or(u64::MAX);
        make_room(1);
        let before = now();
        assert!(before >= most.min(2 + BESIDE));
        let connections = usize::try_from(before).unwrap_or(usize::MAX / 4);
        make_room(connections);
        assert!(now() >= before && now() >= most.min(before), "{before} became {}", now());
        make_room(0);
        assert!(now() >= before);
    }
}
