package tally

// Reasons are all that is counted anywhere in the program: each is told from the start, at 0, so that the first time that it happens is
// seen as an increase. README.md says what each of them means.
func Reasons() []string {
	return []string{
		"address_slowed_down", "channel_full",
		"closed_bad_frame", "closed_internal_error", "closed_not_identified", "closed_rate_limited", "closed_replaced", "closed_slow_consumer",
		"closed_timed_out",
		"connection_address_limited", "connection_gave_way", "connection_no_room",
		"http_address_limited", "http_crowded", "internal_error",
		"media_failed", "media_lost", "media_timed_out",
		"offer_refused", "panic", "panics", "rejoin_refused", "request_rate_limited", "resume_refused",
		"session_expired", "session_no_room",
		"signin_busy", "signin_denied", "signin_expired", "signin_refused", "signin_unreachable",
		"site_refused", "socket_address_limited", "storage_trouble", "token_refused", "unsettled",
	}
}
