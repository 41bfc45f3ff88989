//! Refused messages: their groups and lists, what people do about them, and replays: on both archives, and through the whole road.

pub mod rehearsal;
mod replays;
pub mod road;
mod speed;
mod suite;

use std::sync::Arc;

use arkki::adapters::clock::SystemEntropy;
use arkki::adapters::store::{self, Store};
use arkki::domain::change::{Commit, Effect};
use arkki::domain::refused::{By, NewJob, RefusedCriteria};

use crate::store::make::{at, refuse};
use crate::store::place::Place;

on_both! {
    suite:
        a_refusal_has_an_address_a_group_and_its_surroundings,
        lists_go_on_where_they_ended,
        what_is_taken_later_is_mended,
        what_is_done_is_kept_and_can_be_taken_back,
        a_sender_who_makes_places_up_fills_no_table,
        refusals_of_an_older_release_are_found;
    replays:
        a_job_takes_each_message_once_whoever_asks,
        a_replay_ends_with_the_decision,
        the_rate_holds_and_a_stop_keeps_its_place,
        a_lease_that_ran_out_is_moot,
        what_is_in_hand_is_left_alone,
        jobs_that_rest_keep_no_place_from_those_that_run;
}

async fn open(place: &Place) -> Arc<Store> {
    store::open_store(&place.url, "one", Arc::new(SystemEntropy::open().unwrap())).await.unwrap()
}

/// A refusal for a finding at this place.
fn refuse_at(message: &[u8], code: &str, path: &str) -> Commit {
    let mut commit = refuse(message, code);
    if let Effect::Refuse(refuse) = &mut commit.effect {
        refuse.came.finding = path.to_owned();
        refuse.came.message_id = Some("m-1".to_owned());
        refuse.came.inbound = "main".to_owned();
        refuse.came.profile = "kanta-social".to_owned();
    }
    commit
}

/// The same, at another time and of another sender.
fn of(commit: Commit, sender: &str, seconds: i64) -> Commit {
    let key = arkki::domain::message::MessageKey { sender: arkki::domain::message::Sender::new(sender), ..commit.key };
    Commit { at: at(seconds), key, ..commit }
}

fn by(seconds: i64) -> By {
    By::new("operator:ada", "because", at(seconds))
}

fn job(criteria: RefusedCriteria, token: &str) -> NewJob {
    NewJob { criteria, by: by(100), token: token.to_owned(), rate: 10, answer_again: false }
}

fn coded(code: &str) -> RefusedCriteria {
    RefusedCriteria { code: Some(code.to_owned()), ..RefusedCriteria::default() }
}
