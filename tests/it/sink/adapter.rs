//! The HTTP sink by itself: who it talks to, what it shows of itself, and that no answer costs more than it may.

use std::time::{Duration, Instant};

use arkki::adapters::fhir_sink::{FhirSink, SinkSettings};
use arkki::domain::handover::Verdict;
use arkki::fhir::answer;
use arkki::ports::sink::Sink as _;

use super::make;
use super::server::{Manner, Papers, Server, header};
use crate::kit;

fn settings(server: &Server, change: impl FnOnce(&mut SinkSettings, &Papers)) -> SinkSettings {
    let papers = &server.papers;
    let mut settings = SinkSettings {
        base: server.base(),
        authorities: papers.authority.clone(),
        client: Some(papers.client.clone()),
        token_file: None,
        timeout: Duration::from_secs(2),
    };
    change(&mut settings, papers);
    settings
}

fn bundle(n: u32) -> Vec<u8> {
    let arkki::domain::change::Effect::Notice(notice) = make::notice(n, 0).effect else { unreachable!() };
    notice.bundle.to_vec()
}

async fn post(settings: SinkSettings, n: u32) -> Result<Verdict, String> {
    let bundle = bundle(n);
    let said = FhirSink::open(settings)?.post(make::id(n).as_str(), &bundle).await.map_err(|outage| outage.detail)?;
    Ok(answer::judge(said.status, &said.body, &answer::sent(&bundle).unwrap()))
}

#[tokio::test(flavor = "multi_thread")]
async fn both_sides_know_each_other_by_their_authorities() {
    let server = Server::start(Manner::Well);
    assert!(matches!(post(settings(&server, |_, _| ()), 1).await, Ok(Verdict::Taken(ids)) if ids.len() == 2));
    let head = server.last_head();
    assert_eq!(header(&head, "x-request-id"), Some(make::id(1).as_str()));
    assert_eq!(header(&head, "authorization"), None);
    let taken = server.requests();
    // No certificate, a stranger's, or a server whose authority we do not know: not one octet of a notice leaves.
    for (name, change) in [
        ("no certificate", (|s: &mut SinkSettings, _: &Papers| s.client = None) as fn(&mut SinkSettings, &Papers)),
        ("a stranger's certificate", |s, p| s.client = Some(p.stranger.clone())),
        ("a server of another authority", |s, p| s.authorities = p.other_authority.clone()),
        ("a server of another name", |s, _| s.base = s.base.replace("127.0.0.1", "localhost")),
        ("plain HTTP", |s, _| s.base = s.base.replace("https", "http")),
        ("nobody there", |s, _| s.base = "https://127.0.0.1:1/fhir".into()),
    ] {
        let outcome = post(settings(&server, change), 2).await;
        assert!(outcome.is_err(), "{name}: {outcome:?}");
        assert_eq!(server.requests(), taken, "{name}");
    }
    // What cannot be used is said at the start, and names its option.
    for (option, change) in [
        ("ca_file", (|s: &mut SinkSettings| s.authorities = b"nothing".to_vec()) as fn(&mut SinkSettings)),
        ("certificate_file", |s| s.client.as_mut().unwrap().0 = Vec::new()),
        ("key_file", |s| s.client.as_mut().unwrap().1 = b"-----BEGIN CERTIFICATE-----".to_vec()),
    ] {
        let fault = FhirSink::open(settings(&server, |s, _| change(s))).err().unwrap();
        assert!(fault.contains(option), "{fault}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_read_anew_and_never_shown() {
    let server = Server::start(Manner::Well);
    let folder = kit::temp_dir();
    let file = folder.path().join("token");
    let sink = FhirSink::open(settings(&server, |s, _| s.token_file = Some(file.clone()))).unwrap();
    for (token, well) in [(Some("first.token"), true), (Some("second.token\n"), true), (Some(""), false), (Some("two words"), false), (None, false)] {
        match token {
            Some(token) => std::fs::write(&file, token).unwrap(),
            None => std::fs::remove_file(&file).unwrap(),
        }
        let outcome = sink.post("1.2.3", &bundle(1)).await;
        assert_eq!(outcome.is_ok(), well, "{token:?}: {outcome:?}");
        match (&outcome, token) {
            (Ok(_), Some(token)) => assert_eq!(header(&server.last_head(), "authorization"), Some(format!("bearer {}", token.trim()).as_str())),
            (Err(outage), Some("two words")) => assert!(!outage.detail.contains("two words"), "{}", outage.detail),
            _ => {}
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_is_judged_and_bounded() {
    let server = Server::start(Manner::Well);
    let unclear = |verdict: &Result<Verdict, String>| matches!(verdict, Ok(Verdict::Unclear(_)) | Err(_));
    for (n, manner) in (10..).zip([
        Manner::Garbage,
        Manner::Half,
        Manner::Noise,
        Manner::Redirect,
        Manner::Endless,
        Manner::StoresAndDies,
        Manner::StoresSlowly,
        Manner::Page(400),
        Manner::Page(500),
        Manner::Page(200),
        Manner::Outcome(500),
        Manner::Outcome(503),
        Manner::Outcome(429),
    ]) {
        server.behave(manner);
        let (began, verdict) = (Instant::now(), post(settings(&server, |_, _| ()), n).await);
        assert!(unclear(&verdict), "{manner:?}: {verdict:?}");
        assert!(began.elapsed() < Duration::from_secs(4), "{manner:?} took {:?}", began.elapsed());
        let (Ok(Verdict::Unclear(words)) | Err(words)) = verdict else { unreachable!() };
        assert!(!words.contains("900C") && !words.contains("Testi") && words.len() < 600, "{words}");
    }
    for (status, refused) in [(400, true), (422, true), (409, true), (401, false), (403, false), (404, false)] {
        server.behave(Manner::Outcome(status));
        let verdict = post(settings(&server, |_, _| ()), 30).await.unwrap();
        match verdict {
            Verdict::Refused(words) if refused => assert_eq!(words, format!("HTTP {status}; error invalid 40112 at Bundle.entry[0].resource.agent[1].who")),
            Verdict::Unwelcome(words) if !refused => assert!(words.starts_with(&format!("HTTP {status}")) && !words.contains("900C"), "{words}"),
            other => panic!("{status}: {other:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_answer_on_a_connection_is_nobodys() {
    let server = Server::start(Manner::Twice);
    let sink = FhirSink::open(settings(&server, |_, _| ())).unwrap();
    for n in 1..=5 {
        let bundle = bundle(n);
        let said = sink.post(make::id(n).as_str(), &bundle).await.unwrap();
        let Verdict::Taken(ids) = answer::judge(said.status, &said.body, &answer::sent(&bundle).unwrap()) else { panic!("{said:?}") };
        let stored: Vec<String> = ids.into_iter().map(|id| id.stored_id).collect();
        assert_eq!(server.kept()[make::id(n).as_str()], [stored]);
    }
}
