//! One suite for both archives: every function of `store::suite` and `store::crowd` runs on PostgreSQL and on SQLite.

mod checkpoints;
mod crowd;
mod damage;
mod hold;
mod killed;
mod logs;
pub mod make;
mod messages;
mod outage;
pub mod place;
mod queries;
mod speed;
mod suite;
mod wills;

on_both! {
    suite:
        a_document_becomes_durable_with_all_that_belongs_to_it,
        a_header_comes_back_as_it_was,
        a_repeat_gets_the_stored_octets_under_its_own_words,
        one_key_one_id_one_version_one_frame,
        what_was_relied_on_must_still_hold,
        cases_and_relations_count_their_revisions,
        the_same_refusal_again_sends_the_same_octets,
        another_refusal_supersedes_the_first,
        a_note_is_kept_and_never_answered,
        hostile_words_are_kept_as_they_came,
        the_outbox_leases_forgets_and_keeps,
        a_lease_is_bounded_in_octets,
        migrations_run_once_and_strangers_are_refused;
    hold:
        a_held_message_is_released_by_what_it_waits_for,
        everybody_who_waited_is_answered_once,
        whoever_is_left_waiting_is_answered_by_the_sweep,
        a_hold_that_is_too_late_is_stale,
        a_hold_whose_time_is_up_is_due_and_refused,
        a_refused_message_may_be_held_and_then_accepted;
    damage:
        an_intact_archive_has_no_faults,
        every_damage_is_found_at_its_place,
        cases_and_relations_are_held_against_their_documents,
        an_audit_goes_on_where_another_ended;
    checkpoints:
        an_untouched_ledger_agrees_with_its_checkpoints,
        a_rewritten_ledger_is_found_though_its_chain_holds,
        a_shortened_ledger_is_found,
        lost_checkpoints_and_another_archive_are_found,
        two_instances_make_one_chain_and_a_lost_key_only_delays;
    queries:
        searches_find_what_meets_every_criterion,
        only_the_latest_valid_versions_unless_asked,
        nothing_of_another_register_is_found_or_fetched,
        what_is_withheld_is_no_row,
        unreadable_rows_are_found_as_damage,
        dates_alone_find_a_registers_own,
        too_many_tell_how_to_narrow,
        fetched_octets_are_those_archived_and_damage_does_not_leave,
        the_same_verdict_sends_the_stored_octets_and_logs_again,
        old_answers_are_forgotten_and_the_audit_still_agrees;
    wills:
        a_will_is_kept_with_its_document_and_folded,
        what_a_will_names_is_looked_up,
        words_without_end_are_cut,
        a_will_that_comes_meanwhile_makes_the_decision_stale,
        no_search_shows_a_will_but_the_one_for_wills,
        a_row_that_is_not_its_documents_is_found;
    logs:
        every_column_of_the_logs_is_what_its_entry_hashed,
        rows_lost_and_rows_put_in_are_named,
        entries_from_before_the_logs_were_chained_are_still_good,
        without_its_log_nothing_is_done,
        the_logs_are_read_by_register_and_by_client;
    messages:
        lists_know_every_criterion_and_page_without_a_gap,
        a_messages_page_has_all_its_moments_and_decisions,
        what_left_is_a_row_a_run,
        a_row_deleted_by_hand_is_named_in_one_round,
        what_a_former_release_did_is_judged_by_what_it_can_know,
        old_refusals_are_forgotten_and_come_again;
    crowd:
        many_at_once_make_one_chain,
        calls_take_effect_in_their_order,
        a_batch_survives_its_stale_members,
        two_instances_make_one_effect_per_key;
}
