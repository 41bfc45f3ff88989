//! Invalidation and reinstatement: the decision, both archives, two instances, the whole road, the history.

mod archive;
mod decision;
pub mod make;
mod property;
mod race;
mod road;

on_both! {
    archive:
        a_version_and_a_set_go_and_come_back,
        an_invalidating_version_takes_its_set_along,
        cases_and_relations_fall_back_to_what_is_valid,
        every_damage_to_an_event_is_found,
        an_event_waits_for_its_document;
    race:
        of_two_invalidations_one_wins,
        a_replacement_and_an_invalidation_never_both_hold,
        of_two_replacements_one_wins;
    property:
        any_sequence_keeps_the_fold_and_every_octet;
}
