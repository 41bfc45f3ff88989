//! `make bench`: the whole road on a RabbitMQ and a PostgreSQL of its own, and the bare relay of the same messages beside it as the ceiling.
//! It asserts that every answer is AA and every delivery settled; it never asserts a time. Prints one Markdown table.
//!
//! * `ARKKI_BENCH_MESSAGES` (12000): how many documents of about 30 KB
//! * `ARKKI_BENCH_ONLY` (all): some of `micro,schema,rules,body,sign,relay,road,steady,search,messages,disclose,pages`, with commas
//! * `ARKKI_BENCH_DOCUMENTS` (1000000): how many documents the archive of `search` holds
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a bench says plainly what it expects")]

#[path = "parts/body.rs"]
mod body;
#[path = "parts/cpu.rs"]
mod cpu;
#[path = "parts/disclose.rs"]
mod disclose;
#[path = "parts/gateway.rs"]
mod gateway;
#[path = "../tests/it/kit/mod.rs"]
#[allow(unused_imports, reason = "the kit's own tests are left out of a bench")]
mod kit;
#[path = "parts/messages.rs"]
mod messages;
#[path = "parts/micro.rs"]
mod micro;
#[path = "parts/pages.rs"]
mod pages;
#[path = "parts/relay.rs"]
mod relay;
#[path = "parts/rules.rs"]
mod rules;
#[path = "parts/schema.rs"]
mod schema;
#[path = "parts/search.rs"]
mod search;
#[path = "parts/sender.rs"]
mod sender;
#[path = "parts/sign.rs"]
mod sign;

use gateway::Gateway;

/// The product's own, so that one document costs here what it costs there.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A document's size with its body in base64, as in the reference measurements.
const OCTETS: usize = 30_000;
/// How many documents unless the environment says otherwise: some ten seconds of work.
const MESSAGES: usize = 12_000;

fn main() {
    let count = std::env::var("ARKKI_BENCH_MESSAGES").ok().map_or(MESSAGES, |n| n.parse().expect("ARKKI_BENCH_MESSAGES is a number"));
    let only = std::env::var("ARKKI_BENCH_ONLY").unwrap_or_else(|_| "micro,schema,rules,body,sign,relay,road,steady,search,messages,disclose,pages".to_owned());
    let wanted = |part: &str| only.split(',').any(|o| o == part);
    println!("{count} messages of about {OCTETS} octets, {} cores", std::thread::available_parallelism().map_or(0, usize::from));
    let show = |table: &str| println!("\n{table}");
    if wanted("micro") {
        show(&micro::run(OCTETS));
    }
    if wanted("sign") {
        show(&sign::run());
    }
    if wanted("schema") {
        show(&schema::run());
    }
    if wanted("body") {
        show(&body::run(OCTETS));
    }
    if wanted("rules") {
        show(&rules::run());
    }
    if !(wanted("relay") || wanted("road") || wanted("steady") || wanted("search") || wanted("messages") || wanted("disclose") || wanted("pages")) {
        return;
    }
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let gateway = Gateway::new();
    let mut table = String::from("| | messages/s | CPU-s per 1,000: arkki | broker | database | peak RSS, MB |\n|---|---|---|---|---|---|\n");
    if wanted("relay") {
        table += &runtime.block_on(relay::run(&gateway, count, OCTETS));
    }
    if wanted("road") {
        table += &runtime.block_on(gateway.throughput(count, OCTETS));
    }
    if wanted("relay") || wanted("road") {
        show(&table);
    }
    if wanted("disclose") {
        show(&disclose::run(&gateway));
    }
    if wanted("messages") {
        show(&messages::run(&gateway));
    }
    if wanted("search") {
        show(&search::run(&gateway, count, OCTETS));
    }
    if wanted("pages") {
        show(&pages::run(&gateway));
    }
    if wanted("steady") {
        show(&runtime.block_on(gateway.steady(OCTETS)));
    }
}
