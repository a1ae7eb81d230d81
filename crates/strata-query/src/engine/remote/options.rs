//! Where a distant engine is and how to ask it: as written, and as checked.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use reqwest::Url;
use reqwest::header::{HeaderName, HeaderValue};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use strata_model::Problem;
use strata_model::text::{parse_bytes, parse_duration};

/// The header by which Mimir, Cortex and their like tell tenants apart.
const TENANT_HEADER: &str = "X-Scope-OrgID";

/// A Prometheus-compatible engine that holds the metrics, for `strata serve`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RemoteOptions {
    /// Base address of the engine, path prefix included: `http://prometheus:9090`,
    /// `http://vmselect:8481/select/0/prometheus`, `http://mimir:8080/prometheus`.
    pub url: Option<String>,
    /// Tenant, sent as the header `X-Scope-OrgID` (Mimir, Cortex). Engines that name it otherwise
    /// get it by `headers` or in the path.
    pub tenant: Option<String>,
    /// Further request headers. Secrets belong into `bearer_token_*` or `basic_auth`.
    pub headers: BTreeMap<String, String>,
    /// File with a bearer token; read again for every request.
    pub bearer_token_file: Option<PathBuf>,
    /// Environment variable with a bearer token.
    pub bearer_token_env: Option<String>,
    /// User name and password.
    pub basic_auth: Option<LoginOptions>,
    /// PEM file with the authorities to trust instead of the system's.
    pub ca_file: Option<PathBuf>,
    /// Longest time to wait for a connection.
    pub connect_timeout: String,
    /// Largest answer that is read, for example "256MiB".
    pub answer_limit: String,
    /// How long it is remembered which families and labels exist. A name that is new in the engine
    /// is part of a canonical one after this long at the latest.
    pub refresh: String,
}

impl Default for RemoteOptions {
    fn default() -> Self {
        Self {
            url: None,
            tenant: None,
            headers: BTreeMap::new(),
            bearer_token_file: None,
            bearer_token_env: None,
            basic_auth: None,
            ca_file: None,
            connect_timeout: "5s".to_owned(),
            answer_limit: "256MiB".to_owned(),
            refresh: "1m".to_owned(),
        }
    }
}

/// User name and password of HTTP basic authentication.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LoginOptions {
    pub username: String,
    /// File with the password; read again for every request.
    pub password_file: Option<PathBuf>,
    /// Environment variable with the password.
    pub password_env: Option<String>,
}

/// Where a secret comes from. Never the secret itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretPlace {
    File(PathBuf),
    Env(String),
}

/// How we prove who we are.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Login {
    #[default]
    None,
    Bearer(SecretPlace),
    Basic {
        username: String,
        password: SecretPlace,
    },
}

/// [`RemoteOptions`] read and checked.
#[derive(Debug, Clone, PartialEq)]
pub struct RemoteSettings {
    /// Without a slash at its end.
    pub url: String,
    pub headers: Vec<(String, String)>,
    pub login: Login,
    pub ca_file: Option<PathBuf>,
    pub connect_timeout: Duration,
    pub answer_bytes_max: usize,
    pub refresh: Duration,
}

impl RemoteOptions {
    /// Read and check. None when no engine is named.
    ///
    /// # Errors
    /// All problems, each naming its field.
    pub fn validate(&self) -> Result<Option<RemoteSettings>, Vec<Problem>> {
        let mut problems = Vec::new();
        let url = self.url.as_deref().and_then(|url| check_url(url, &mut problems));
        let mut duration = |field: &str, text: &str| {
            parse_duration(text).unwrap_or_else(|message| {
                problems.push(Problem::new(field, message));
                Duration::ZERO
            })
        };
        let connect_timeout = duration("connect_timeout", &self.connect_timeout);
        let refresh = duration("refresh", &self.refresh);
        let answer_bytes_max = parse_bytes(&self.answer_limit).unwrap_or_else(|message| {
            problems.push(Problem::new("answer_limit", message));
            0
        });
        let headers = self.headers(&mut problems);
        let login = self.login(&mut problems);
        if self.url.is_none() && *self != Self::default() {
            problems.push(Problem::new("url", "the other options need the engine's address"));
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        Ok(url.map(|url| RemoteSettings {
            url,
            headers,
            login,
            ca_file: self.ca_file.clone(),
            connect_timeout,
            answer_bytes_max: usize::try_from(answer_bytes_max).unwrap_or(usize::MAX),
            refresh,
        }))
    }

    fn headers(&self, problems: &mut Vec<Problem>) -> Vec<(String, String)> {
        let tenant = self.tenant.iter().map(|tenant| (TENANT_HEADER.to_owned(), tenant.clone()));
        let all: Vec<(String, String)> = tenant.chain(self.headers.clone()).collect();
        for (name, value) in &all {
            if name.eq_ignore_ascii_case("authorization") {
                let message = "credentials belong into bearer_token_* or basic_auth";
                problems.push(Problem::new("headers", message));
            } else if HeaderName::try_from(name.as_str()).is_err()
                || HeaderValue::try_from(value.as_str()).is_err()
            {
                let message = format!("{name:?} cannot be a request header with this value");
                problems.push(Problem::new("headers", message));
            }
        }
        all
    }

    fn login(&self, problems: &mut Vec<Problem>) -> Login {
        let mut place =
            |field: &str, file: &Option<PathBuf>, env: &Option<String>| match (file, env) {
                (Some(_), Some(_)) => {
                    let message = "give a file or an environment variable, not both";
                    problems.push(Problem::new(field, message));
                    None
                }
                (Some(file), None) => Some(SecretPlace::File(file.clone())),
                (None, env) => env.clone().map(SecretPlace::Env),
            };
        let bearer = place("bearer_token_file", &self.bearer_token_file, &self.bearer_token_env);
        let basic = self.basic_auth.as_ref().map(|basic| {
            let field = "basic_auth.password_file";
            (basic.username.clone(), place(field, &basic.password_file, &basic.password_env))
        });
        match (bearer, basic) {
            (Some(_), Some(_)) => {
                let message = "give a bearer token or basic_auth, not both";
                problems.push(Problem::new("basic_auth", message));
                Login::None
            }
            (Some(token), None) => Login::Bearer(token),
            (None, Some((username, Some(password)))) => Login::Basic { username, password },
            (None, Some((_, None))) => {
                let message = "give password_file or password_env";
                problems.push(Problem::new("basic_auth", message));
                Login::None
            }
            (None, None) => Login::None,
        }
    }
}

/// The address without the slash at its end.
fn check_url(text: &str, problems: &mut Vec<Problem>) -> Option<String> {
    let problem = match Url::parse(text) {
        // What may hold a secret is not repeated.
        Err(error) if text.contains('@') => format!("this is no address: {error}"),
        Err(error) => format!("{text:?} is no address: {error}"),
        Ok(url) if !url.username().is_empty() || url.password().is_some() => {
            // The text is not repeated: it holds a secret.
            "credentials belong into basic_auth, not into the address".to_owned()
        }
        Ok(url) if !matches!(url.scheme(), "http" | "https") => {
            format!("{text:?} is not an http or https address")
        }
        Ok(url) if url.query().is_some() || url.fragment().is_some() => {
            "the address ends with its path; leave out what follows \"?\" or \"#\"".to_owned()
        }
        Ok(_) => return Some(text.trim_end_matches('/').to_owned()),
    };
    problems.push(Problem::new("url", problem));
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_required_and_nothing_is_assumed() {
        assert_eq!(RemoteOptions::default().validate(), Ok(None));
    }

    #[test]
    fn every_problem_is_told_with_its_field() {
        let check = |options: RemoteOptions, expected: &[&str]| {
            let problems = options.validate().unwrap_err();
            let fields: Vec<_> = problems.iter().map(|problem| problem.path.as_str()).collect();
            assert_eq!(fields, expected, "{problems:?}");
        };
        let at = |url: &str| RemoteOptions { url: Some(url.to_owned()), ..Default::default() };
        check(at("prometheus:9090"), &["url"]);
        check(at("http://user:secret@host/"), &["url"]);
        check(at("http://host/?x=1"), &["url"]);
        check(RemoteOptions { tenant: Some("a".to_owned()), ..Default::default() }, &["url"]);
        let headers = BTreeMap::from([("Authorization".to_owned(), "Bearer x".to_owned())]);
        check(RemoteOptions { headers, ..at("http://h") }, &["headers"]);
        let two = RemoteOptions {
            bearer_token_env: Some("A".to_owned()),
            basic_auth: Some(LoginOptions {
                password_env: Some("B".to_owned()),
                ..Default::default()
            }),
            refresh: "soon".to_owned(),
            ..at("http://h")
        };
        check(two, &["refresh", "basic_auth"]);
    }

    #[test]
    fn a_secret_in_the_address_is_not_repeated() {
        let options =
            RemoteOptions { url: Some("http://u:hunter2@h".to_owned()), ..Default::default() };
        assert!(!format!("{:?}", options.validate()).contains("hunter2"));
    }

    #[test]
    fn a_path_prefix_stays() {
        let url = Some("http://vm:8481/select/0/prometheus/".to_owned());
        let settings = RemoteOptions { url, ..Default::default() }.validate().unwrap().unwrap();
        assert_eq!(settings.url, "http://vm:8481/select/0/prometheus");
    }
}
