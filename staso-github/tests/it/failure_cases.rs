//! The 60 ways in which GitHub, git or the network fail, and the tests that prove what happens then.

use std::path::Path;

/// One of them.
struct Case {
    number: usize,
    what: &'static str,
    /// Which half no test here can prove, and why.
    not_here: Option<&'static str>,
    /// File, from the root of the workspace, and function.
    tests: &'static [&'static str],
}

#[rustfmt::skip]
const CASES: [Case; 60] = [
    Case { number: 1, what: "a clock that is ahead: signed again once with the time of the server, else said so", not_here: None, tests: &[
        "staso-github/src/github/auth/cases/skew.rs::case_01_a_clock_that_is_ahead_is_made_up_for_and_remembered",
        "staso-github/src/github/auth/cases/skew.rs::case_01_a_time_that_is_refused_again_is_an_error",
        "staso-github/src/github/auth/cases/skew.rs::case_01_a_refusal_that_does_not_say_the_time_is_no_reason_to_guess",
    ] },
    Case { number: 2, what: "every form of a key signs; a wrong key is refused and never shown", not_here: None, tests: &[
        "staso-github/src/github/auth/cases/key.rs::case_02_no_damage_shows_the_key",
        "staso-github/src/github/auth/cases/key.rs::case_02_every_form_of_a_key_signs",
        "staso-github/src/github/auth/cases/key.rs::case_02_a_key_of_another_app_is_refused_and_never_shown",
        "staso-github/src/github/auth/cases/key.rs::case_02_an_id_of_no_app_is_refused",
        "staso-github/src/github/auth/cases/key.rs::case_02_what_is_no_key_of_an_app_says_why",
    ] },
    Case { number: 3, what: "an app that is not installed: where to install it", not_here: None, tests: &[
        "staso-github/src/github/auth/cases/installed.rs::case_03_an_app_that_is_not_installed_says_where_to_install_it",
        "staso-github/src/github/auth/cases/installed.rs::case_03_without_the_page_of_the_app_the_settings_are_named",
        "staso-github/tests/it/with_emulate/installed.rs::case_03_where_the_app_is_not_installed_emulate_leads_to_its_page",
    ] },
    Case { number: 4, what: "a suspended installation: said so, not repeated", not_here: None, tests: &[
        "staso-github/src/github/auth/cases/installed.rs::case_04_a_suspended_installation_is_not_asked_twice",
        "staso-github/src/github/auth/cases/installed.rs::case_04_a_suspension_is_seen_at_the_lookup_and_when_it_is_lifted",
    ] },
    Case { number: 5, what: "a repository that is not selected: not said to be absent", not_here: None, tests: &[
        "staso-github/src/github/auth/cases/installed.rs::case_05_a_repository_that_is_not_selected_is_not_missing",
        "staso-github/src/github/auth/cases/installed.rs::case_05_a_repository_that_is_taken_away_is_not_granted_any_more",
        "staso-github/tests/it/github_reading/preflight.rs::case_05_a_repository_that_was_not_selected_is_not_said_to_be_absent",
        "staso-github/tests/it/with_emulate/installed.rs::case_05_what_was_not_selected_emulate_keeps_from_the_app",
    ] },
    Case { number: 6, what: "a permission that is not granted: named before the run", not_here: None, tests: &[
        "staso-github/src/github/auth/cases/tokens.rs::case_06_a_permission_that_is_not_granted_is_named",
        "staso-github/src/github/auth/cases/tokens.rs::case_06_it_is_known_before_the_run_without_any_token",
        "staso-github/tests/it/with_emulate/installed.rs::case_06_what_emulate_has_not_granted_is_known_before_any_work",
    ] },
    Case { number: 7, what: "a fresh token that is refused: waited for 1, 2 and 3 s", not_here: None, tests: &[
        "staso-github/src/github/auth/cases/lag.rs::case_07_a_fresh_token_is_waited_for",
        "staso-github/src/github/auth/cases/lag.rs::case_07_after_that_the_refusal_is_real",
        "staso-github/src/github/auth/cases/lag.rs::case_07_a_token_that_is_known_is_not_waited_for",
        "staso-github/src/github/auth/cases/lag.rs::case_07_other_refusals_are_not_waited_for",
        "staso-github/src/github/auth/cases/tokens.rs::case_07_git_waits_for_a_fresh_token",
    ] },
    Case { number: 8, what: "a token that expires during a run: a fresh one for each operation of git, one refused call repeated", not_here: None, tests: &[
        "staso-github/src/git/transport/contract/store.rs::case_08_each_operation_has_a_fresh_token",
        "staso-github/src/github/auth/cases/tokens.rs::case_08_git_gets_another_token_when_an_old_one_is_refused",
        "staso-github/src/github/auth/cases/tokens.rs::case_08_git_gets_a_token_that_lasts_five_minutes_and_calls_one_of_a_minute",
        "staso-github/src/github/auth/cases/tokens.rs::case_08_a_call_does_not_take_a_token_of_its_last_minute",
        "staso-github/src/github/auth/cases/tokens.rs::case_08_an_old_token_that_is_refused_is_replaced_once",
    ] },
    Case { number: 9, what: "a credential that was revoked or is unknown: said so", not_here: Some("what GitHub itself answers to a revoked token is taken from its documentation: emulate lets unknown tokens pass"), tests: &[
        "staso-github/src/git/transport/contract/cases.rs::case_09_refused_credentials",
        "staso-github/src/github/auth/cases/tokens.rs::case_09_a_credential_that_is_revoked_is_said_so",
        "staso-github/src/github/auth/cases/tokens.rs::case_09_a_personal_token_that_is_revoked_is_said_so_at_once",
        "staso-github/src/github/auth/cases/tokens.rs::case_09_git_has_no_other_personal_token",
    ] },
    Case { number: 10, what: "403: names the permission that GitHub asks for", not_here: Some("the header that names the permission is GitHub's alone, and here the test's"), tests: &[
        "staso-github/src/github/client/status/tests.rs::case_10_what_is_not_accessible_names_the_permission",
    ] },
    Case { number: 11, what: "single sign-on: names the page of the organisation", not_here: Some("only GitHub has single sign-on; the header is as documented"), tests: &[
        "staso-github/src/github/client/status/tests.rs::case_11_single_sign_on_leads_only_to_where_the_repository_is",
    ] },
    Case { number: 12, what: "the primary limit: waited out within the time of the run, else when to come again", not_here: Some("no peer has limits: the headers are as documented"), tests: &[
        "staso-github/src/github/client/tests/limits.rs::case_12_the_primary_limit_is_waited_out_for_every_verb",
        "staso-github/src/github/client/tests/limits.rs::case_12_a_limit_beyond_the_end_of_the_run_says_when_to_come_again",
    ] },
    Case { number: 13, what: "a secondary limit: stops everything of the account", not_here: Some("no peer has limits: the text is as documented"), tests: &[
        "staso-github/src/github/client/tests/limits.rs::case_13_a_secondary_limit_stops_everything_of_the_account",
    ] },
    Case { number: 14, what: "a limit without a time: a minute, doubled, three times", not_here: None, tests: &[
        "staso-github/src/github/client/tests/limits.rs::case_14_a_limit_without_a_time_doubles_from_a_minute_and_ends_after_three_waits",
    ] },
    Case { number: 15, what: "502, 503, 504: reads repeated, writes read back first", not_here: None, tests: &[
        "staso-github/src/github/client/tests/retries.rs::case_15_reads_are_repeated_with_growing_random_pauses",
        "staso-github/src/github/proposal/cases/pulls.rs::case_15_a_lost_answer_is_read_back_before_anything_is_repeated",
        "staso-github/tests/it/with_emulate_proposals.rs::case_15_case_16_a_fault_at_any_request_leaves_one_branch_and_one_pull_request",
    ] },
    Case { number: 16, what: "a lost answer after a branch was made: read back", not_here: None, tests: &[
        "staso-github/src/github/proposal/cases/branches.rs::case_16_a_lost_answer_is_read_back_from_the_branch",
        "staso-github/src/github/proposal/cases/mutations.rs::case_16_a_branch_that_waits_for_its_commit_is_taken_up_by_the_next_run_of_this_machine",
        "staso-github/tests/it/with_emulate_proposals.rs::case_15_case_16_a_fault_at_any_request_leaves_one_branch_and_one_pull_request",
    ] },
    Case { number: 17, what: "a web page or cut JSON in place of an answer: asked for again when it was a read", not_here: None, tests: &[
        "staso-github/src/github/client/tests/retries.rs::case_17_cut_answers_and_web_pages_are_asked_for_again",
    ] },
    Case { number: 18, what: "a renamed repository: followed with verb and body, its name of today kept", not_here: None, tests: &[
        "staso-github/src/github/client/tests/redirects.rs::case_18_a_renamed_repository_is_followed_with_the_same_verb_and_body",
        "staso-github/src/github/client/tests/redirects.rs::case_18_what_github_answered_after_a_renaming_is_followed",
        "staso-github/tests/it/github_reading/resolve.rs::case_18_a_renamed_repository_is_found_by_its_old_name",
    ] },
    Case { number: 19, what: "a redirect to another host or to http: no credential, or refused", not_here: None, tests: &[
        "staso-github/src/github/client/tests/redirects.rs::case_19_unsafe_redirects_are_refused",
        "staso-github/src/github/client/tests/redirects.rs::case_19_another_host_never_sees_the_credential",
    ] },
    Case { number: 20, what: "a transfer to an owner without the app: not installed", not_here: None, tests: &[
        "staso-github/src/github/auth/cases/installed.rs::case_20_a_repository_that_went_to_an_owner_without_the_app_is_not_installed",
        "staso-github/src/github/auth/cases/installed.rs::case_20_one_that_has_another_name_now_gets_a_token_by_its_number",
        "staso-github/tests/it/github_reading/resolve.rs::case_20_a_repository_transferred_to_another_owner_is_asked_for_there",
    ] },
    Case { number: 21, what: "an archived repository: known before any work", not_here: None, tests: &[
        "staso-github/tests/it/github_reading/preflight.rs::case_21_an_archived_repository_costs_nothing",
        "staso-github/tests/it/github_reading/preflight.rs::case_21_what_is_archived_after_it_was_resolved_is_seen_before_the_next_proposal",
    ] },
    Case { number: 22, what: "451 or a deleted repository: gone", not_here: None, tests: &[
        "staso-github/src/github/client/status/tests.rs::case_22_what_is_blocked_or_gone_is_told_with_the_reason",
        "staso-github/tests/it/github_reading/resolve.rs::case_22_what_is_gone_or_blocked_is_told_apart",
    ] },
    Case { number: 23, what: "an empty repository: said to be empty", not_here: None, tests: &[
        "staso-github/tests/it/github_reading/resolve.rs::case_23_an_empty_repository_is_said_to_be_empty",
    ] },
    Case { number: 24, what: "a default branch of any name", not_here: None, tests: &[
        "staso-github/tests/it/github_reading/resolve.rs::case_24_the_default_branch_is_the_one_that_github_names",
    ] },
    Case { number: 25, what: "a commit that the server does not have", not_here: None, tests: &[
        "staso-github/src/git/transport/contract/cases.rs::case_25_a_commit_that_the_server_does_not_have",
        "staso-github/tests/it/github_reading/resolve.rs::case_25_an_unknown_commit_is_not_found",
    ] },
    Case { number: 26, what: "a commit that was pushed away: fetched all the same", not_here: None, tests: &[
        "staso-github/src/git/transport/contract/cli.rs::case_26_a_commit_that_was_pushed_away_is_fetched",
        "staso-github/src/git/transport/contract/cli.rs::case_26_a_commit_stands_on_one_that_was_pushed_away",
        "staso-github/src/git/transport/contract/libgit2.rs::case_26_a_commit_on_one_that_was_pushed_away_brings_it_back",
    ] },
    Case { number: 27, what: "a server that gives out no commits by id: branches, then the archive", not_here: None, tests: &[
        "staso-github/src/git/transport/contract/store.rs::case_27_branches_are_followed_where_commits_are_not_given_out",
        "staso-github/tests/it/github_reading/git.rs::case_27_where_the_server_gives_no_commits_by_id_the_archive_serves",
    ] },
    Case { number: 28, what: "short ids, tags and names in a trace: no commit", not_here: None, tests: &[
        "staso-github/tests/it/github_reading/resolve.rs::case_28_what_is_no_full_commit_is_no_commit",
    ] },
    Case { number: 29, what: "a fix that does not fit the newest commit: its files, no pull request", not_here: None, tests: &[
        "staso-github/src/github/proposal/cases/branches.rs::case_29_a_change_that_does_not_fit_names_its_files_and_sends_nothing",
        "staso-github/src/github/proposal/cases/whole.rs::case_29_a_base_that_has_moved_is_a_conflict_without_a_pull_request",
        "staso-github/src/publish/publisher.rs::case_29_a_change_fits_its_own_commit_and_the_newest_one",
        "staso-github/tests/it/cases.rs::case_29_a_fix_that_does_not_fit_names_its_files_and_leaves_nothing",
        "staso-github/tests/it/with_emulate_proposals.rs::case_29_case_34_what_does_not_fit_or_is_there_leaves_nothing",
    ] },
    Case { number: 30, what: "a branch that is there: never moved, ours or the next number", not_here: None, tests: &[
        "staso-github/src/git/transport/contract/cases.rs::case_30_a_branch_that_is_there_is_never_moved",
        "staso-github/src/git/transport/contract/cases.rs::case_30_of_many_who_make_a_branch_one_does",
        "staso-github/src/github/proposal/cases/branches.rs::case_30_a_foreign_branch_is_left_alone_and_the_next_number_taken",
        "staso-github/src/github/proposal/cases/branches.rs::case_30_our_own_branch_is_found_by_its_commit",
        "staso-github/src/github/proposal/cases/mutations.rs::case_30_without_a_record_a_branch_at_the_base_is_foreign",
        "staso-github/src/publish/publisher.rs::case_30_a_number_lost_to_a_race_is_the_other_attempt_s_or_left_alone",
        "staso-github/tests/it/cases.rs::case_30_a_branch_that_is_there_is_not_even_moved_forward",
    ] },
    Case { number: 31, what: "409 of a race: read again, tried once more", not_here: None, tests: &[
        "staso-github/src/github/proposal/cases/branches.rs::case_31_a_race_is_read_again_and_tried_once_more",
    ] },
    Case { number: 32, what: "a pull request that is there: found, kept or updated", not_here: None, tests: &[
        "staso-github/src/github/proposal/cases/pulls.rs::case_32_what_was_closed_or_merged_is_not_opened_again",
        "staso-github/src/github/proposal/cases/pulls.rs::case_32_the_pull_request_that_is_there_is_found_and_kept",
    ] },
    Case { number: 33, what: "a search that does not know it yet: all open ones are read", not_here: None, tests: &[
        "staso-github/src/github/proposal/cases/pulls.rs::case_33_what_the_search_does_not_know_yet_is_found_among_all_open",
        "staso-github/src/github/proposal/cases/pulls.rs::case_33_a_fork_with_a_branch_of_the_same_name_is_not_ours",
    ] },
    Case { number: 34, what: "no commits between: nothing to propose", not_here: None, tests: &[
        "staso-github/src/github/proposal/cases/pulls.rs::case_34_no_commits_between_is_nothing_to_propose",
        "staso-github/tests/it/cases.rs::case_34_what_the_base_has_already_is_nothing_to_propose",
        "staso-github/tests/it/with_emulate_proposals.rs::case_29_case_34_what_does_not_fit_or_is_there_leaves_nothing",
    ] },
    Case { number: 35, what: "no drafts: a normal one with a warning", not_here: None, tests: &[
        "staso-github/src/github/proposal/cases/pulls.rs::case_35_without_drafts_it_is_a_normal_one_with_a_warning",
    ] },
    Case { number: 36, what: "a rule that refuses: repeated in words, commits by API offered", not_here: Some("rules of branches are GitHub's alone: a hook of git says its text, and no rule was ever looked up on a live server"), tests: &[
        "staso-github/src/git/transport/contract/cases.rs::case_36_the_rule_that_refuses_a_push_is_told",
        "staso-github/src/github/proposal/cases/branches.rs::case_36_rules_of_the_repository_are_repeated",
        "staso-github/src/github/proposal/cases/mutations.rs::case_36_what_the_mutation_is_refused_for_is_said_in_words",
        "staso-github/src/github/proposal/cases/whole.rs::case_36_a_rule_that_refuses_the_push_is_repeated_and_api_commits_are_offered",
    ] },
    Case { number: 37, what: "workflow files: stopped before the push", not_here: None, tests: &[
        "staso-github/src/github/proposal/cases/whole.rs::case_37_workflows_without_permission_stop_before_the_push",
        "staso-github/src/github/proposal/cases/whole.rs::case_37_an_app_proposes_no_workflow_whatever_it_was_granted",
    ] },
    Case { number: 38, what: "labels and reviewers that do not work: warnings", not_here: Some("owners of code are asked for review by GitHub itself, which no peer does"), tests: &[
        "staso-github/src/github/proposal/cases/pulls.rs::case_38_labels_and_reviewers_that_do_not_work_are_warnings",
        "staso-github/tests/it/with_emulate_proposals.rs::case_38_case_46_a_proposal_by_api_keeps_bytes_and_modes_and_is_found_again",
    ] },
    Case { number: 39, what: "a template of pull requests: stays on top", not_here: None, tests: &[
        "staso-github/src/github/proposal/cases/whole.rs::case_39_case_41_the_template_stays_on_top_and_nothing_of_strangers_works",
    ] },
    Case { number: 40, what: "long texts and titles: cut where nothing stays open", not_here: None, tests: &[
        "staso-github/src/github/proposal/marker.rs::case_40_a_long_text_is_cut_where_nothing_stays_open",
        "staso-github/src/github/proposal/marker.rs::case_40_no_text_is_too_long_by_a_byte",
        "staso-github/src/publish/message.rs::case_40_a_title_is_one_visible_line_of_at_most_72_characters",
    ] },
    Case { number: 41, what: "mentions, references and closing keywords: without effect; secrets do not leave", not_here: None, tests: &[
        "staso-github/src/github/proposal/cases/whole.rs::case_41_a_credential_in_an_added_line_does_not_leave",
        "staso-github/src/github/proposal/cases/branches.rs::case_41_what_was_there_before_is_held_against_its_id",
        "staso-github/tests/it/propose.rs::case_41_a_credential_in_an_added_line_is_published_by_no_provider",
        "staso-github/src/github/proposal/cases/whole.rs::case_39_case_41_the_template_stays_on_top_and_nothing_of_strangers_works",
    ] },
    Case { number: 42, what: "too many files or bytes: the limit is named", not_here: None, tests: &[
        "staso-github/src/github/proposal/cases/whole.rs::case_42_what_is_too_large_is_refused_with_the_limit",
        "staso-github/tests/it/cases.rs::case_42_too_many_files_or_bytes_name_the_limit",
    ] },
    Case { number: 43, what: "a binary file: replaced as a whole", not_here: None, tests: &[
        "staso-github/tests/it/cases.rs::case_43_a_binary_file_is_replaced_as_a_whole",
        "staso-github/tests/it/github_reading/api.rs::case_43_binary_files_are_told_and_not_shown",
    ] },
    Case { number: 44, what: "a pointer of Git LFS: told, not edited", not_here: None, tests: &[
        "staso-github/tests/it/cases.rs::case_44_a_pointer_of_git_lfs_is_told_and_not_edited",
        "staso-github/tests/it/github_reading/api.rs::case_44_pointers_of_lfs_are_told",
        "staso-github/src/git/read.rs::case_44_pointers_of_every_version_are_told_from_other_files",
    ] },
    Case { number: 45, what: "a submodule: told, not entered", not_here: None, tests: &[
        "staso-github/tests/it/cases.rs::case_45_another_repository_inside_is_neither_entered_nor_edited",
        "staso-github/tests/it/github_reading/api.rs::case_45_submodules_are_named_and_never_followed",
    ] },
    Case { number: 46, what: "links and executable files: stay so", not_here: None, tests: &[
        "staso-github/src/github/proposal/cases/branches.rs::case_46_the_executable_bit_and_deletions_are_said_in_the_tree",
        "staso-github/src/github/proposal/cases/mutations.rs::case_46_what_a_mutation_cannot_carry_is_made_of_blobs_and_trees",
        "staso-github/tests/it/cases.rs::case_46_links_stay_links_and_executable_files_executable",
        "staso-github/tests/it/github_reading/api.rs::case_46_links_and_modes_are_kept",
        "staso-github/tests/it/with_emulate_proposals.rs::case_38_case_46_a_proposal_by_api_keeps_bytes_and_modes_and_is_found_again",
    ] },
    Case { number: 47, what: "line ends and marks: kept byte for byte", not_here: None, tests: &[
        "staso-github/tests/it/cases.rs::case_47_line_ends_and_marks_are_kept_byte_for_byte",
    ] },
    Case { number: 48, what: "unusual paths and branches", not_here: None, tests: &[
        "staso-github/tests/it/cases.rs::case_48_unusual_paths_are_carried_and_read",
        "staso-github/tests/it/github_reading/api.rs::case_48_odd_names_are_read_and_checked_out",
        "staso-github/tests/it/github_reading/resolve.rs::case_48_branches_keep_their_slashes_spaces_and_signs",
    ] },
    Case { number: 49, what: "paths that could escape: refused", not_here: None, tests: &[
        "staso-core/src/code/path.rs::case_49_paths_that_could_escape_are_refused",
    ] },
    Case { number: 50, what: "truncated listings and large files", not_here: None, tests: &[
        "staso-github/tests/it/github_reading/api.rs::case_50_large_files_and_truncated_listings",
        "staso-github/tests/it/github_reading/answers.rs::case_50_what_a_cut_listing_leaves_out_is_not_said_to_be_absent",
    ] },
    Case { number: 51, what: "pages: followed on the same server only, to an end", not_here: None, tests: &[
        "staso-github/src/github/client/tests/lists.rs::case_51_pages_are_followed_to_the_last",
        "staso-github/src/github/client/tests/lists.rs::case_51_recorded_pages_of_issues_are_followed_to_the_last",
        "staso-github/src/github/client/tests/lists.rs::case_51_a_next_page_on_another_host_is_not_asked_for",
        "staso-github/src/github/client/tests/lists.rs::case_51_an_endless_list_is_cut_and_says_so",
    ] },
    Case { number: 52, what: "a proxy that takes no chunks", not_here: None, tests: &[
        "staso-github/src/git/transport/contract/cli.rs::case_52_a_proposal_is_sent_in_one_piece",
        "staso-github/src/git/transport/contract/libgit2.rs::case_52_a_proxy_that_takes_no_chunks_is_named",
    ] },
    Case { number: 53, what: "credentials: in no output, file, argument or error", not_here: None, tests: &[
        "staso-github/src/git/transport/contract/secrets.rs::case_53_credentials_stand_in_no_file_and_no_argument",
        "staso-github/src/git/transport/contract/secrets.rs::case_53_credentials_stand_in_no_error",
        "staso-github/src/github/auth/cases/leaks.rs::case_53_no_damaged_token_is_printed",
        "staso-github/src/github/auth/cases/leaks.rs::case_53_no_refusal_prints_the_token",
        "staso-github/src/github/auth/cases/leaks.rs::case_53_a_personal_token_is_not_printed",
        "staso-github/src/github/client/tests/secrets.rs::case_53_the_token_goes_to_the_api_and_nowhere_else",
    ] },
    Case { number: 54, what: "hooks, filters and settings of a repository: nothing runs", not_here: None, tests: &[
        "staso-github/src/git/transport/contract/secrets.rs::case_54_nothing_of_a_repository_runs",
    ] },
    Case { number: 55, what: "runs at once: one branch, one pull request", not_here: Some("that there is one pull request rests on GitHub's refusal of a second one, which emulate does not do: the refusal is the test's"), tests: &[
        "staso-github/src/github/proposal/cases/whole.rs::case_55_runs_at_once_make_one_branch",
        "staso-github/src/publish/publisher.rs::case_55_a_key_makes_one_branch_and_another_change_or_key_the_next",
        "staso-github/tests/it/cases.rs::case_55_attempts_at_once_from_several_machines_make_one_branch",
        "staso-github/tests/it/with_emulate_proposals.rs::case_55_runs_at_once_make_one_branch_by_api",
    ] },
    Case { number: 56, what: "cancelled in the middle: nothing, or what was made is known", not_here: Some("an open socket on the way to GitHub itself was never cut, only those to git and to the peers"), tests: &[
        "staso-github/src/git/transport/contract/stopped.rs::case_56_a_push_that_is_cancelled_on_its_way_there",
        "staso-github/src/git/transport/contract/stopped.rs::case_56_a_push_that_is_cancelled_on_its_way_back",
        "staso-github/src/github/proposal/cases/pulls.rs::case_56_a_run_that_is_cancelled_before_it_opens_one_opens_none",
        "staso-github/src/github/proposal/cases/whole.rs::case_56_a_cancelled_run_still_learns_of_the_pull_request_that_it_opened",
    ] },
    Case { number: 57, what: "webhooks: signatures, replays, unknown events, every official payload", not_here: None, tests: &[
        "staso-github/tests/it/webhook/official.rs::case_57_all_329_official_payloads_are_read",
        "staso-github/tests/it/webhook/official.rs::case_57_an_unknown_event_or_action_is_named",
        "staso-github/tests/it/webhook/official.rs::case_57_a_payload_under_the_name_of_another_event_is_malformed",
        "staso-github/tests/it/webhook/official.rs::case_57_malformed_json_is_refused_without_being_repeated",
        "staso-github/tests/it/webhook/refused.rs::case_57_githubs_own_vector_is_accepted",
        "staso-github/tests/it/webhook/refused.rs::case_57_an_absent_or_bad_signature_is_401",
        "staso-github/tests/it/webhook/refused.rs::case_57_sha1_alone_is_401",
        "staso-github/tests/it/webhook/refused.rs::case_57_too_long_a_body_is_413_before_anything_else",
        "staso-github/tests/it/webhook/refused.rs::case_57_a_replay_is_ignored",
        "staso-github/tests/it/webhook/refused.rs::case_57_an_id_counts_only_after_its_signature",
    ] },
    Case { number: 58, what: "an Enterprise Server: its own address, and what it lacks", not_here: Some("no Enterprise Server is at hand, and the descriptions of 3.17 to 3.19 do not differ in what is used"), tests: &[
        "staso-github/src/github/client/status/tests.rs::case_58_an_older_server_says_what_it_lacks",
        "staso-github/tests/it/github_reading/resolve.rs::case_58_an_enterprise_server_is_asked_at_its_own_address",
    ] },
    Case { number: 59, what: "every spelling of an address", not_here: None, tests: &[
        "staso-github/tests/it/github_reading/resolve.rs::case_59_every_spelling_of_an_address_leads_to_one_request",
    ] },
    Case { number: 60, what: "a commit of a fork only: used and noted", not_here: None, tests: &[
        "staso-github/tests/it/cases.rs::case_60_a_commit_of_a_fork_is_said_to_be_one_and_the_fix_is_for_the_base",
        "staso-github/tests/it/github_reading/resolve.rs::case_60_a_commit_outside_the_history_is_used_and_noted",
    ] },
];

#[test]
fn every_case_has_tests_that_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace");
    let mut wrong = Vec::new();
    for (case, number) in CASES.iter().zip(1..) {
        assert_eq!(case.number, number, "{}", case.what);
        assert!(!case.what.is_empty() && case.not_here.is_none_or(|reason| !reason.is_empty()));
        if case.tests.is_empty() {
            wrong.push(format!("case {number} has no test: {}", case.what));
        }
        wrong.extend(case.tests.iter().filter_map(|test| missing(root, number, test)));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Why this is no test of a case.
fn missing(root: &Path, number: usize, test: &str) -> Option<String> {
    let Some((file, name)) = test.split_once("::") else { return Some(format!("{test} names no file")) };
    if !name.contains(&format!("case_{number:02}_")) {
        return Some(format!("{test} is no test of case {number}"));
    }
    let Ok(text) = std::fs::read_to_string(root.join(file)) else { return Some(format!("{file} is gone")) };
    // A name that only begins so is another test.
    let there = text
        .match_indices(&format!("fn {name}"))
        .any(|(at, found)| text[at + found.len()..].starts_with(['(', '<']));
    (!there).then(|| format!("{test} is gone"))
}

#[test]
fn a_test_that_is_gone_is_noticed() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace");
    let file = "staso-github/tests/it/cases.rs";
    let there = "case_43_a_binary_file_is_replaced_as_a_whole";
    assert_eq!(missing(root, 43, &format!("{file}::{there}")), None);
    for (number, test) in [
        (43, format!("{file}::case_43_a_binary_file")),
        (44, format!("{file}::{there}")),
        (43, format!("{file}.gone::{there}")),
        (43, there.to_owned()),
    ] {
        assert!(missing(root, number, &test).is_some(), "{number} {test}");
    }
}
