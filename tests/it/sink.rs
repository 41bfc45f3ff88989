//! Notices on their way out: the HTTP sink against a real FHIR server with mutual TLS, the courier on both stores, and the proof that none is missing.

mod adapter;
mod complete;
mod crowd;
mod events;
mod handover;
mod judged;
mod make;
pub mod server;

on_both! {
    handover:
        every_notice_is_taken_once_and_both_ids_are_kept,
        a_refused_notice_stops_and_a_person_sends_it_on,
        whatever_the_server_says_nothing_is_lost_and_nothing_is_taken_twice,
        a_sink_that_begins_later_leaves_the_past_alone,
        an_hour_without_the_server_costs_nothing_but_time,
        two_couriers_share_the_work;
    complete:
        what_is_whole_adds_up,
        each_row_taken_by_hand_is_named,
        late_unsent_and_foreign_are_named,
        registers_and_days_are_reckoned_apart;
}
