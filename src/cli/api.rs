//! `arkki api`: what the HTTP API needs: tokens, and its own description. `arkki serve` answers it where `[api] listen` says.

use std::path::Path;

use clap::{Args, Subcommand};
use serde_json::json;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::report::{Health, Report};
use super::verbs;
use crate::adapters::clock::SystemEntropy;
use crate::config::api::ApiPlace;
use crate::domain::outage::Outage;
use crate::ports::clock::Entropy as _;
use crate::web::api::route::Role;
use crate::web::api::{self, Api, Ran, openapi, tokens};

const HELP: &str = r#"The API answers where [api] listen says, while `arkki serve` runs. Each route is one of these commands; docs/api.md shows it.

Examples:
  arkki api token night-shift operator   a new token, shown once; its line goes into [api] tokens_file
  arkki api document > openapi.json      what the running gateway serves at /api/v1/openapi.json

Exit codes: 0 well, 2 the name or the role is none."#;

/// What `api` takes.
#[derive(Args)]
#[command(after_help = HELP)]
pub struct ApiCommand {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Make a token: it is shown once, and the line for the file of tokens beside it.
    Token {
        /// Whose it is: this name is the actor of all that it does.
        name: String,
        /// What it may do: reader, operator or administrator.
        #[arg(value_parser = role)]
        role: Role,
    },
    /// Write the API's description (OpenAPI 3.1).
    Document,
}

fn role(word: &str) -> Result<Role, String> {
    Role::parse(word).ok_or_else(|| "say reader, operator or administrator".to_owned())
}

/// Makes a token, or describes.
#[must_use]
pub fn run(command: &ApiCommand) -> Report {
    match &command.what {
        What::Document => {
            let document = openapi::document(&verbs::routes(), env!("CARGO_PKG_VERSION"));
            Report::new(Health::Well, format!("{document:#}\n"), document)
        }
        What::Token { name, role } => token(name, *role),
    }
}

fn token(name: &str, role: Role) -> Report {
    let entropy = match SystemEntropy::open() {
        Ok(entropy) => entropy,
        Err(outage) => return Report::blind(outage),
    };
    let token: String = entropy.sixteen().iter().chain(&entropy.sixteen()).map(|octet| format!("{octet:02x}")).collect();
    match tokens::line(name, role, &token) {
        Err(why) => Report::blind(why),
        Ok(line) => {
            let text = format!("the token, shown this once:\n  {token}\nits line for the file of [api] tokens_file:\n  {line}\n");
            Report::new(Health::Well, text, json!({ "token": token, "line": line }))
        }
    }
}

/// Starts the API; its task ends at `stop`.
///
/// # Errors
/// An outage when the address is taken; a file of tokens that cannot be read.
pub(super) async fn start(place: ApiPlace, config: Option<&Path>, stop: watch::Receiver<bool>) -> Result<JoinHandle<()>, Failed> {
    let _readable = tokens::read(&place.tokens).map_err(|fault| Failed(format!("[api] tokens_file: {}", fault.0)))?;
    let listener = api::listen(place.listen).await?;
    let config = config.map(Path::to_owned);
    let run = move |caller: &str, words: &[String]| {
        let report = super::called(caller, words, config.as_deref())?;
        let exit = match report.health {
            Health::Well => 0,
            Health::Unwell => 1,
            // Told as any other slip in the words of the request.
            Health::Wish => return Err(report.text.trim_end().to_owned()),
            Health::Blind => 2,
        };
        Ok(Ran { exit, report: report.json })
    };
    let api = Api { routes: verbs::routes(), tokens: place.tokens, folder: place.folder, run: Box::new(run), version: env!("CARGO_PKG_VERSION") };
    Ok(tokio::spawn(api::serve(listener, api, stop)))
}

/// Why the API cannot start.
pub(super) struct Failed(pub String);

impl From<Outage> for Failed {
    fn from(outage: Outage) -> Self {
        Self(outage.to_string())
    }
}
