//! The threat suite: every known way past a gate like this one, tried over real sockets from the outside.
//!
//! A test asks on both sides: what the client got, and what the app behind saw, which for whatever is
//! refused is nothing. The lines are those of the advisories of other gateways, proxies, HTTP and TLS
//! libraries; each test names the ones it answers. Names without a file are in the file of the line's
//! family; `::` leads to the files beside this folder, where the same is proved for another reason.
//!
//! | line | class of defect | tests |
//! |---|---|---|
//! | P1 | a step up out of an open place | `paths`: `no_step_up_leads_out_of_an_open_place` |
//! | P2 | encoded and merged separators | `no_encoding_hides_a_step_up_or_a_separator`, `no_empty_segment_shifts_a_path`, `a_route_may_take_encoded_slashes_but_no_steps_up_behind_them`, `an_encoded_slash_that_a_route_takes_hides_no_closed_place` |
//! | P3 | parameters of segments | `no_parameter_hides_a_step_up`, `a_parameter_that_some_servers_drop_does_not_decide_where_a_path_leads` |
//! | P4 | fragments | `a_fragment_is_neither_matched_nor_forwarded` |
//! | P5 | a query that is matched | `a_query_opens_no_door` |
//! | P6 | opaque and absolute targets | `a_target_that_is_no_uri_is_refused_whoever_finds_out`; `hosts`: `a_request_names_one_host_in_one_way`, `an_absolute_target_leads_to_no_other_host_than_the_header` |
//! | P7 | matched in one form, forwarded in another | `the_app_gets_the_path_that_was_matched_and_the_query_as_it_was`, `no_spelling_of_a_path_slips_past_the_policy_of_its_route`; `identity`: `no_header_names_another_target_than_the_one_that_was_matched` |
//! | P8 | case of path and host | `an_open_place_in_another_case_is_another_place`; `hosts`: `no_spelling_of_a_host_slips_past_its_policy` |
//! | P9 | root dot of a host | `hosts`: `no_spelling_of_a_host_slips_past_its_policy`, `a_host_with_an_empty_label_is_no_host`, `a_host_is_the_name_of_a_host_and_nothing_else` |
//! | P10 | letters that look alike | `a_letter_that_looks_alike_is_another_letter` |
//! | P11 | a prefix without a boundary | `a_prefix_ends_where_a_segment_ends` |
//! | P12 | NUL, line breaks, overlong UTF-8 | `nothing_that_ends_a_text_or_a_line_stands_in_a_path`, `a_character_in_more_bytes_than_it_needs_is_refused` |
//! | P1-P12 | elsewhere | `http_2_finds_no_other_way`, `the_auth_endpoints_are_as_strict_about_targets_as_the_routes` |
//! | lesson 2 | refused without a word | `whoever_is_refused_can_be_told_why` |
//! | I1, I2 | `_` and `.` for `-` | `identity`: `no_spelling_of_an_identity_header_gets_past_any_kind_of_route`; `::forwarding` |
//! | I3 | a claim that is absent | `every_identity_header_is_ours_alone` |
//! | I4 | `Connection` that names our headers | `naming_a_header_in_connection_takes_none_of_ours_away` |
//! | I5 | headers that come twice | `no_spelling_of_an_identity_header_gets_past_any_kind_of_route` |
//! | I6 | side doors by header, method, path | `no_header_and_no_method_is_a_side_door` |
//! | I7 | identity in trailers | `trailers_of_a_request_tell_the_app_nothing`, `nothing_that_belongs_into_a_head_comes_behind_a_body`; `::trailers`, `desync`: `nothing_of_the_chunks_but_their_data_reaches_the_app` |
//! | I8 | claims that no header can carry | `claims_travel_as_text_or_as_json_and_what_no_header_can_carry_stays_away` |
//! | I9 | one answer for two callers | `nobody_is_taken_for_who_came_before_on_the_same_connection` |
//! | F1 | everybody is a trusted proxy | `forwarded`: `no_header_makes_somebody_another_client`, `nobody_becomes_trusted_by_claiming_a_trusted_address`, `what_a_client_writes_in_front_of_the_proxys_word_is_not_believed`, `a_proxy_that_names_no_client_is_the_client`; `::forwarding` |
//! | F2 | scheme, host, port, prefix of somebody's choice | `redirects`: `the_way_to_the_login_names_no_host_that_the_client_chose`; `::cookies::nobody_but_a_trusted_proxy_says_that_it_was_tls` |
//! | F3 | one address in two families | `an_ipv4_address_is_the_same_in_the_clothes_of_ipv6`, `a_trusted_proxy_is_known_on_a_socket_for_both_families`, `a_network_of_ipv6_is_one_client` |
//! | F4 | lengths in PROXY headers | `::proxy_protocol::where_clients_are_announced_nobody_comes_in_without_it`, `a_stranger_cannot_announce_anybody` |
//! | F5 | early data | `::https_handshakes::nothing_is_taken_before_the_handshake_is_over` |
//! | T1 | what is remembered is believed for more | `sessions`: `a_token_that_opens_one_route_is_judged_anew_by_the_next` |
//! | T2 | signatures that are not checked | `a_token_that_is_remembered_vouches_for_none_that_resembles_it`; `tokens`: `no_token_that_was_tampered_with_passes`, `a_token_of_another_gateway_is_a_strangers`, `a_refresh_token_opens_no_door_and_an_access_token_refreshes_nothing` |
//! | T3 | what was true at the login | `what_is_remembered_of_a_session_ends_with_it`; `::logout`, `::streams` |
//! | T4 | led to another site | `redirects`: `whoever_is_logged_in_is_sent_to_no_other_site`, `a_form_that_was_tampered_with_leads_to_no_other_site`, `only_somebody_looking_at_a_page_is_led_anywhere` |
//! | T5 | somebody else's session under a login | `a_login_begins_a_session_of_its_own_whatever_cookies_came_with_it`; `::login_page::a_browser_whose_session_was_ended_is_asked_again_and_forgets_it` |
//! | T6 | tokens where they are not for | `a_token_in_a_url_or_a_body_is_no_token_and_is_in_no_log`; `identity`: `the_token_stays_at_the_gateway_unless_the_route_forwards_it`, `the_session_cookies_stay_at_the_gateway_and_the_app_gets_its_own`, `credentials_of_another_kind_are_the_apps_affair` |
//! | T7 | two tokens | `tokens`: `two_tokens_are_none`, `a_bad_token_in_the_header_is_not_healed_by_a_good_one_in_a_cookie`, `a_header_without_a_token_says_so`; `identity`: `a_header_is_believed_before_a_cookie_and_two_tokens_are_none` |
//! | T8 | two identities in one | `a_number_that_two_readers_could_take_for_two_people_gets_no_code` |
//! | T9 | a rule that is not understood is open | `a_rule_that_is_misspelt_opens_no_gateway`, `a_route_that_says_nothing_lets_nobody_in` |
//! | lesson 10 | `exp` that nobody looks at | `tokens`: `an_access_token_lives_to_the_millisecond_and_half_a_minute_for_slow_clocks` |
//! | cross-site | another site acts for a browser | `::cookies`, `::chromium`, `::forward_auth` |
//! | B1 | a lock that a spelling unlocks, or that locks the owner out | `brute_force`: all; `::races`, `::verify_otp::a_resend_gives_no_attempts_back` |
//! | B2 | guesses without a count, codes that are told | `of_many_guesses_in_one_packet_five_are_judged`, `the_code_goes_to_the_phone_and_nowhere_else`; `::limits`, `::races`, `::send_otp::codes_are_not_all_alike` |
//! | B3 | who is known here | `a_number_that_is_known_and_one_that_is_not_are_answered_alike`; `::verify_otp::wrong_expired_used_and_never_sent_look_the_same` |
//! | replay | codes and refresh tokens used twice | `::races`, `::refresh`, `::verify_otp::a_code_is_good_once` |
//! | names | of challenges and requests, guessed or somebody else's | `::challenges::for_everybody_else_the_challenge_does_not_exist`, `::repeats::whoever_knows_somebody_elses_key_learns_nothing_by_it` |
//! | captchas | used twice, solved elsewhere, made up, for what is blocked | `::guard::captcha::of_many_who_show_the_same_captcha_one_is_sent_a_code`, `a_captcha_that_does_not_count_sends_nothing`, `no_captcha_opens_what_is_blocked` |
//! | codes | several live ones, new attempts by a resend, in the clear in a store | `::send_otp::a_resend_brings_the_same_code_and_the_same_challenge_with_new_time`, `::verify_otp::a_resend_gives_no_attempts_back`, `::redis::secrecy` |
//! | D1 | two lengths, two codings, overflow | `desync`: `a_body_with_two_lengths_hides_no_request`, `chunks_that_are_no_chunks_break_the_request_off`, `a_body_is_a_body_whatever_the_method` |
//! | D2 | empty length, names, folded lines | `a_coding_that_is_not_chunked_alone_is_refused`, `a_header_without_a_proper_name_is_refused`, `a_header_with_a_very_long_name_is_one_header_or_refused`, `a_line_folded_into_the_next_is_refused` |
//! | D3 | versions, last requests, bodies that nobody read | `no_other_version_of_http_has_another_idea_of_a_body`, `nothing_that_follows_a_last_request_is_one`, `a_refused_body_does_not_become_the_next_request`, `an_expectation_hides_no_request`; `pool`; `::pool` |
//! | D4 | upgrades | `upgrades`: all; `::websocket::nothing_behind_a_handshake_flows_before_the_app_agrees`, `an_app_that_proves_nothing_or_switches_to_something_else_is_not_believed` |
//! | D5 | tunnels | `hosts`: `nobody_tunnels_through_the_gateway_or_has_it_repeat_what_it_was_sent`; `http_2`: `no_connect_opens_a_tunnel` |
//! | D6 | HTTP/2 on its way down | `http_2`: all |
//! | D7 | lines that end in another way | `a_line_that_ends_in_another_way_hides_nothing`, `nothing_of_the_chunks_but_their_data_reaches_the_app` |
//! | S1 | Rapid Reset | `floods`: `whoever_asks_and_cancels_without_end_is_hung_up_on`; `::http_2_limits` |
//! | S2 | CONTINUATION | `a_head_without_end_is_not_listened_to`; `http_2`: `a_head_in_pieces_is_judged_whole` |
//! | S3 | `MadeYouReset` | `whoever_makes_the_gateway_reset_streams_without_end_is_hung_up_on` |
//! | S4 | PING, SETTINGS, PRIORITY, GOAWAY and what means nothing | `::http_2_limits::frames_that_do_no_work_end_their_connection_and_are_counted_by_kind`, `honest_habits_are_not_taken_for_a_flood` |
//! | S5 | empty DATA | `a_body_of_nothing_without_end_is_not_listened_to` |
//! | S6 | heads that unfold | `a_small_head_that_unfolds_into_a_large_one_is_refused` |
//! | S7 | windows that stay shut | `::http_2::answers_that_nobody_takes_are_given_up_and_do_not_use_up_the_connections_to_the_app` |
//! | S8 | frames that crash | `no_frame_brings_the_gateway_down` |
//! | slow | heads, bodies, readers | `::connections`, `::slow_clients`, `::bodies::an_upload_that_stops_coming_is_given_up`, `::bad_bodies` |
//! | S9 | handshakes | `tls`: `no_record_in_the_middle_of_a_handshake_keeps_it_going`; `::https_handshakes` |
//! | S10 | answers of helpers without end, a client's words in a message | `::sms::a_provider_that_talks_too_much_is_not_listened_to_for_ever`, `::guard::captcha::a_provider_that_talks_in_other_words_or_without_end_vouches_for_nobody`, `no_language_that_a_client_makes_up_stands_in_a_message_or_stops_one` |
//! | S11 | lines in the log | `nobody_writes_a_line_of_their_own_into_the_log` |
//! | TLS | a hello in pieces, SNI is not Host | `tls`: all; `::https_certificates`, `::https_clients`, `::https_redirect` |
//! | Admin | browsers and strangers at the operators' door | `admin`: all; `::operators` |
//! | Cache, pool | answers for somebody else | `pool`: all; `::pool` |
//!
//! Of no concern here: HTTP/3 (not spoken), JWKS of others (none is fetched), HTML for operators (none).

mod admin;
mod brute_force;
mod desync;
mod floods;
mod forwarded;
mod hosts;
mod http_2;
mod identity;
mod paths;
mod pool;
mod redirects;
mod sessions;
mod table;
mod tls;
mod tokens;
mod upgrades;

use crate::stage::{
    Stage,
    client::Answer,
    wire::Wire,
    witness::{IN_ORDER, MARKED},
};

/// A way for those who are logged in, and one for everybody.
const DOORS: [&str; 2] = [
    "[[routes]]\npath = \"/\"",
    "[[routes]]\npath = \"/public\"\nauth = \"none\"",
];

/// The other way round: all is open but one place.
const ONE_CLOSED: [&str; 2] = [
    "[[routes]]\npath = \"/\"\nauth = \"none\"",
    "[[routes]]\npath = \"/admin\"",
];

/// A gateway with the defaults and these ways, at which [`Stage::arrived`] tells what the app saw.
async fn gate(settings: &[&str]) -> Stage {
    Stage::with(&[&[IN_ORDER, MARKED], settings].concat()).await
}

/// What comes back for `head`, a request's head without its last empty line.
async fn say(stage: &Stage, head: impl AsRef<[u8]>) -> Answer {
    let mut wire = Wire::to(stage.address).await;
    wire.send(head).await;
    wire.send("\r\n\r\n").await;
    wire.answer().await
}

/// What comes back for a GET of `target`.
async fn ask(stage: &Stage, target: &str) -> Answer {
    say(stage, format!("GET {target} HTTP/1.1\r\nHost: app.test")).await
}

/// Asserts on both sides: the request is refused with this status and code, and the app never heard of
/// it. Gives back what was said about the reason.
async fn refuses(stage: &Stage, row: &str, answer: Answer, status: u16, code: &str) -> String {
    assert_eq!(answer.status, status, "{row:?}: {answer:?}");
    answer.is_refused(status, code);
    let arrived = stage.arrived_at().await;
    assert!(arrived.is_empty(), "{row:?} reached the app: {arrived:?}");
    let problem = answer.json();
    problem["detail"].as_str().unwrap_or_default().to_owned()
}

/// The same for a GET of `target`.
async fn refuses_target(stage: &Stage, target: &str, status: u16, code: &str) -> String {
    let answer = ask(stage, target).await;
    refuses(stage, target, answer, status, code).await
}
