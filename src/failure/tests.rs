//! The table against the real texts: every row of the fact sheet's sections 1.3, 1.7 and 4 that has one.

use serde_json::json;

use super::{Call, Failure, FailureKind as Kind, RawError, Side, classify, classify_answer};

fn raise(call: Call, rc: i32, message: &str) -> Failure {
    classify(&RawError::said(call, message).with_codes(Some((rc, rc))))
}

#[test]
fn every_text_of_the_network_library_is_known() {
    for (message, kind) in [
        ("Failed to connect to 127.0.0.1 port 9 after 0 ms: Error", Kind::Network),
        ("Could not resolve host: nowhere.invalid", Kind::Network),
        ("Connection timed out after 30001 milliseconds", Kind::Timeout),
        ("Operation timed out after 1001 milliseconds with 0 bytes received", Kind::Timeout),
        ("Operation timed out after 1001 milliseconds with 10 out of 500 bytes received", Kind::Timeout),
        ("Operation too slow. Less than 1024 bytes/sec transferred the last 60 seconds", Kind::Timeout),
        ("Recv failure: Connection reset by peer", Kind::Network),
        ("Empty reply from server", Kind::Network),
        ("end of response with 500 bytes missing", Kind::Network),
        ("transfer closed with 500 bytes remaining to read", Kind::Network),
        ("Received HTTP/0.9 when not allowed", Kind::Network),
        ("SSL certificate problem: self-signed certificate", Kind::Network),
    ] {
        for call in [Call::Send, Call::Receive, Call::Sync] {
            let failure = raise(call, 1, message);
            assert_eq!((failure.kind, failure.side), (kind, Side::Network), "{message}");
            assert!(failure.retryable, "{message}");
            assert_eq!(failure.message, message);
        }
    }
}

/// What the extension says with `SQLITE_ERROR`, which says nothing by itself.
const EXTENSION: &[(Call, &str, Kind, Side)] = &[
    (Call::Send, "Protocol \"ftp\" not supported", Kind::Configuration, Side::Configuration),
    (Call::Send, "URL rejected: Error", Kind::Configuration, Side::Configuration),
    (Call::Receive, "No URL set", Kind::Configuration, Side::Configuration),
    (Call::Receive, "Memory error.", Kind::Http, Side::Server),
    (Call::Send, "unable to retrieve current status from remote host.", Kind::Http, Side::Server),
    (Call::Send, "cloudsync_network_send_changes unable to apply changes to remote host.", Kind::Http, Side::Server),
    (
        Call::Send,
        "cloudsync_network_send_changes unable to upload payload chunk to remote host.",
        Kind::Http,
        Side::Server,
    ),
    (Call::Send, "cloudsync_network_send_changes unable to receive upload URL", Kind::Http, Side::Server),
    (Call::Send, "cloudsync_network_send_changes: missing 'url' in upload response.", Kind::BadAnswer, Side::Server),
    (
        Call::Receive,
        "cloudsync_network_receive_changes: server rejected check (non-retryable)",
        Kind::ServerPrepare,
        Side::Server,
    ),
    (
        Call::Receive,
        "cloudsync_network_receive_changes: server rejected check (non-retryable): Database query failed: SQL logic error",
        Kind::ServerPrepare,
        Side::Server,
    ),
    (
        Call::Receive,
        "cloudsync_network_receive_changes: server rejected check (non-retryable): cloudsync is not initialized: call SELECT cloudsync_init('<table_name>') first",
        Kind::NotInitialised,
        Side::Server,
    ),
    (
        Call::Receive,
        "cloudsync_network_receive_changes: unable to parse check response.",
        Kind::BadAnswer,
        Side::Server,
    ),
    (Call::Receive, "cloudsync_network_receive_changes: invalid check chunks response.", Kind::BadAnswer, Side::Server),
    (
        Call::Receive,
        "cloudsync_network_receive_changes: check chunk is missing url or payload.",
        Kind::BadAnswer,
        Side::Server,
    ),
    (
        Call::Receive,
        "cloudsync_network_receive_changes: non-final check response missing next cursor.",
        Kind::BadAnswer,
        Side::Server,
    ),
    (
        Call::Receive,
        "cloudsync_network_receive_changes: check response exceeded requested maxChunks.",
        Kind::BadAnswer,
        Side::Server,
    ),
    (
        Call::Receive,
        "cloudsync_network_receive_changes: invalid inline payload in check response.",
        Kind::BadAnswer,
        Side::Server,
    ),
    (Call::Receive, "cloudsync_network_receive_changes: inline payload apply failed", Kind::ClientApply, Side::Client),
    (Call::Receive, "receive failed", Kind::BadAnswer, Side::Server),
    (Call::Receive, "check failed", Kind::BadAnswer, Side::Server),
    (Call::Send, "Unable to retrieve CloudSync network context.", Kind::Configuration, Side::Configuration),
    (Call::Open, "managedDatabaseId cannot be empty", Kind::Configuration, Side::Configuration),
    (Call::Open, "address cannot be empty", Kind::Configuration, Side::Configuration),
    (Call::Open, "Unable to compute/retrieve site_id.", Kind::Configuration, Side::Configuration),
    (
        Call::Sql,
        "cloudsync is not initialized: call SELECT cloudsync_init('<table_name>') before using it",
        Kind::NotInitialised,
        Side::Configuration,
    ),
    (
        Call::Sql,
        "cloudsync has no tables configured for sync. Call cloudsync_init",
        Kind::NotInitialised,
        Side::Configuration,
    ),
    (
        Call::Sql,
        "cloudsync settings reference tables whose sync metadata is missing",
        Kind::NotInitialised,
        Side::Configuration,
    ),
    (
        Call::Receive,
        "Error on cloudsync_payload_apply: unable to start a transaction (cannot open savepoint - SQL statements in progress)",
        Kind::ClientApply,
        Side::Client,
    ),
    (Call::Sql, "no such table: nothing", Kind::Sql, Side::Client),
    (Call::Sql, "interrupted", Kind::Timeout, Side::Client),
    (
        Call::Open,
        "dist/cloudsync.so: cannot open shared object file: No such file or directory",
        Kind::Configuration,
        Side::Configuration,
    ),
];

#[test]
fn every_text_of_the_extension_is_known() {
    for &(call, message, kind, side) in EXTENSION {
        let failure = raise(call, 1, message);
        assert_eq!((failure.kind, failure.side), (kind, side), "{message}");
    }
}

#[test]
fn every_payload_error_is_the_clients_when_it_is_received() {
    for reason in [
        "invalid checksum",
        "invalid payload length",
        "invalid signature or column size",
        "unsupported payload version",
        "unable to decompress BLOB",
        "declared expanded size is inconsistent with the payload",
        "invalid v3 header",
        "inconsistent v3 fragments",
        "the receive stream ended with an incomplete fragmented value",
        "unable to write the receive checkpoint",
        "unable to start a transaction",
        "unable to release a savepoint",
    ] {
        let error = format!("Error on cloudsync_payload_apply: {reason}");
        let answer =
            json!({"receive": {"rows": 0, "tables": [], "chunks": 1, "bytes": 9, "complete": false, "error": error}});
        let failures = classify_answer(Call::Receive, &answer, false);
        assert_eq!(failures.len(), 1);
        assert_eq!((failures[0].kind, failures[0].side), (Kind::ClientApply, Side::Client), "{error}");
    }
}

#[test]
fn a_code_of_sqlite_decides_before_any_text() {
    for (call, rc, message, kind, side) in [
        (Call::Sql, 5, "database is locked", Kind::Locked, Side::Client),
        (Call::Send, 5, "database is locked", Kind::Locked, Side::Client),
        (Call::Sql, 6, "database table is locked", Kind::Locked, Side::Client),
        (Call::Receive, 5, "Unable to apply payload changes", Kind::Locked, Side::Client),
        (Call::Send, 9, "Callback aborted", Kind::Timeout, Side::Network),
        (Call::Sql, 9, "interrupted", Kind::Timeout, Side::Client),
        (Call::Sql, 19, "CHECK constraint failed: value > 0", Kind::Constraint, Side::Client),
        (Call::Sql, 19, "UNIQUE constraint failed: test_sync.id", Kind::Constraint, Side::Client),
        (Call::Sql, 19, "no cats allowed, says the trigger", Kind::Constraint, Side::Client),
        (Call::Sql, 8, "attempt to write a readonly database", Kind::Disk, Side::Client),
        (Call::Sql, 10, "disk I/O error", Kind::Disk, Side::Client),
        (Call::Sql, 13, "database or disk is full", Kind::Disk, Side::Client),
        (Call::Open, 14, "unable to open database file", Kind::Disk, Side::Client),
        (Call::Sql, 11, "database disk image is malformed", Kind::Corrupt, Side::Client),
        (Call::Open, 26, "file is not a database", Kind::Corrupt, Side::Client),
    ] {
        let failure = raise(call, rc, message);
        assert_eq!((failure.kind, failure.side), (kind, side), "{rc} {message}");
        assert!(failure.code.is_some_and(|code| code.starts_with("SQLITE_")));
    }
    let snapshot = classify(&RawError::said(Call::Sql, "database is locked").with_codes(Some((5, 517))));
    assert_eq!(snapshot.code.as_deref(), Some("SQLITE_BUSY_SNAPSHOT"));
}

#[test]
fn the_words_of_a_server_are_the_servers_when_the_code_says_nothing() {
    for (message, kind, side, retryable) in [
        ("database is locked", Kind::Locked, Side::Server, true),
        ("database table is locked", Kind::Locked, Side::Server, true),
        ("SQLITE_BUSY", Kind::Locked, Side::Server, true),
        ("Internal Server Error", Kind::Http, Side::Server, true),
        ("Column index out of bounds", Kind::Sql, Side::Server, false),
        ("Unexpected Result", Kind::BadAnswer, Side::Server, false),
        ("parse error near line 1", Kind::BadAnswer, Side::Server, false),
        ("authorization denied: privilege=CREATE_TABLE", Kind::Auth, Side::Configuration, false),
        (
            "cloudsync_error[payload_too_large]: estimated payload size 9 exceeds max_estimated_payload_size 5",
            Kind::TooLarge,
            Side::Server,
            false,
        ),
        ("cloudsync_error[row_too_large]: cloudsync payload raw row too large", Kind::TooLarge, Side::Server, false),
        ("Maximum number of payload rows reached", Kind::TooLarge, Side::Server, false),
        ("Too Many Requests", Kind::RateLimited, Side::Server, true),
        (
            "{\"errors\":[{\"status\":\"500\",\"code\":\"internal_error\",\"title\":\"Internal error\",\"detail\":\"database is locked\"}]}",
            Kind::Locked,
            Side::Server,
            true,
        ),
        (
            "{\"errors\":[{\"status\":\"500\",\"code\":\"internal_error\",\"title\":\"Internal error\"}]}",
            Kind::Http,
            Side::Server,
            true,
        ),
        (
            "{\"errors\":[{\"status\":\"503\",\"code\":\"database_paused\",\"title\":\"Database paused\"}]}",
            Kind::Unavailable,
            Side::Server,
            true,
        ),
        (
            "{\"errors\":[{\"status\":\"404\",\"code\":\"not_found\",\"title\":\"managed database not found\"}]}",
            Kind::NotFound,
            Side::Server,
            true,
        ),
        (
            "{\"errors\":[{\"status\":\"409\",\"code\":\"already_exists\",\"title\":\"resource already exists\"}]}",
            Kind::Http,
            Side::Server,
            true,
        ),
        (
            "{\"errors\":[{\"status\":\"403\",\"code\":\"forbidden\",\"title\":\"Device limit of the plan reached\"}]}",
            Kind::Auth,
            Side::Server,
            false,
        ),
        ("{\"errors\":[{\"status\":401,\"title\":\"Unauthorized\"}]}", Kind::Auth, Side::Configuration, false),
        ("{\"errors\":[{\"status\":\"429\",\"title\":\"slow down\"}]}", Kind::RateLimited, Side::Server, true),
        (
            "{\"error\":{\"code\":\"tenant_unreachable\",\"message\":\"tenant check failed\"}}",
            Kind::Unavailable,
            Side::Server,
            true,
        ),
        ("{\"error\":\"database is locked\"}", Kind::Locked, Side::Server, true),
        ("<html><head><title>502 Bad Gateway</title></head></html>", Kind::Http, Side::Server, true),
    ] {
        let failure = raise(Call::Send, 1, message);
        assert_eq!((failure.kind, failure.side, failure.retryable), (kind, side, retryable), "{message}");
        assert_eq!(failure.message, message);
    }
}

#[test]
fn the_status_is_taken_from_a_body_and_never_from_a_count() {
    let body = "{\"errors\":[{\"status\":\"503\",\"code\":\"database_paused\",\"title\":\"Database paused\"}]}";
    let failure = raise(Call::Receive, 1, body);
    assert_eq!((failure.http, failure.code.as_deref()), (Some(503), Some("database_paused")));
    assert_eq!(raise(Call::Send, 1, "<title>502 Bad Gateway</title>").http, Some(502));
    assert_eq!(raise(Call::Send, 1, "500 Internal Server Error").http, Some(500));
    for message in ["500 rows are not enough", "count=500", "db1_r3_500 is refused", "5"] {
        assert_eq!(raise(Call::Send, 1, message).http, None, "{message}");
    }
}

#[test]
fn an_http_status_of_our_own_call_decides() {
    for (status, kind) in [(401, Kind::Auth), (404, Kind::NotFound), (429, Kind::RateLimited), (503, Kind::Unavailable)]
    {
        let error = RawError::said(Call::Admin, "whatever").with_status(status);
        let failure = classify(&error);
        assert_eq!((failure.kind, failure.http), (kind, Some(status)));
    }
    let sql = RawError::said(Call::Admin, "near \"FORM\": syntax error").with_status(400);
    assert_eq!((classify(&sql).kind, classify(&sql).side), (Kind::Sql, Side::Server));
}

#[test]
fn a_failed_job_of_the_server_is_a_failure_of_a_successful_send() {
    for (code, message, retryable, kind, side, worth_it) in [
        (
            "internal_error",
            "cloudsync operation failed: Cannot apply the received payload because the schema hash is unknown 7218827471400075525.",
            true,
            Kind::SchemaMismatch,
            Side::Server,
            false,
        ),
        (
            "internal_error",
            "cloudsync is not initialized: call SELECT cloudsync_init('<table_name>')",
            true,
            Kind::NotInitialised,
            Side::Server,
            false,
        ),
        ("internal_error", "database is locked", true, Kind::Locked, Side::Server, true),
        ("internal_error", "Not enough memory to execute query", false, Kind::ServerApply, Side::Server, false),
        ("internal_error", "Database query failed: SQL logic error", false, Kind::ServerApply, Side::Server, false),
        ("internal_error", "cannot cast type bigint to boolean", false, Kind::ServerApply, Side::Server, false),
        ("internal_error", "invalid input syntax for type uuid: \"\"", false, Kind::ServerApply, Side::Server, false),
        (
            "internal_error",
            "authorization denied: privilege=CREATE_TABLE",
            false,
            Kind::Auth,
            Side::Configuration,
            false,
        ),
        (
            "internal_error",
            "cloudsync_error[payload_too_large]: estimated payload size 2 exceeds max_estimated_payload_size 1",
            true,
            Kind::TooLarge,
            Side::Server,
            false,
        ),
        ("database_paused", "paused", true, Kind::Unavailable, Side::Server, true),
        ("database_auth_failed", "no", false, Kind::Auth, Side::Configuration, false),
        ("database_permission_denied", "no", false, Kind::Auth, Side::Configuration, false),
        ("database_unreachable", "no", true, Kind::Unavailable, Side::Server, true),
        ("database_cloudsync_not_ready", "no", true, Kind::NotInitialised, Side::Server, false),
        ("database_error", "no", true, Kind::ServerApply, Side::Server, true),
    ] {
        let answer = json!({"send": {"status": "synced", "localVersion": 5, "serverVersion": 5, "chunks": 1, "bytes": 9,
            "lastFailure": {"jobId": 44, "code": code, "stage": "apply_payload", "message": message, "retryable": retryable}}});
        let failures = classify_answer(Call::Send, &answer, false);
        assert_eq!(failures.len(), 1, "{message}");
        let failure = &failures[0];
        assert_eq!((failure.kind, failure.side, failure.retryable), (kind, side, worth_it), "{message}");
        assert_eq!((failure.job.as_deref(), failure.code.as_deref()), (Some("44"), Some(code)));
    }
}

#[test]
fn a_failed_check_job_and_a_failed_apply_are_told_apart() {
    let answer = json!({"receive": {"rows": 0, "tables": [], "chunks": 0, "bytes": 0, "complete": false,
        "error": "Cannot apply the received payload because the schema hash is unknown 99.",
        "lastFailure": {"jobId": "job-1", "code": "tenant_unreachable", "stage": "encode_changes", "message": "tenant check failed", "retryable": true}}});
    let failures = classify_answer(Call::Receive, &answer, false);
    let seen: Vec<_> = failures.iter().map(|failure| (failure.kind, failure.side)).collect();
    assert_eq!(seen, [(Kind::SchemaMismatch, Side::Client), (Kind::Unavailable, Side::Server)]);
    for (error, kind, side) in [
        ("CHECK constraint failed: value", Kind::Constraint, Side::Client),
        ("the trigger says no", Kind::ClientApply, Side::Client),
        ("database is locked", Kind::Locked, Side::Client),
        ("receive failed", Kind::BadAnswer, Side::Server),
    ] {
        let failures = classify_answer(Call::Receive, &json!({"receive": {"error": error}}), false);
        assert_eq!((failures[0].kind, failures[0].side), (kind, side), "{error}");
    }
    let prepare = json!({"receive": {"lastFailure": {"jobId": "1", "code": "internal_error", "message": "boom"}}});
    assert_eq!(classify_answer(Call::Receive, &prepare, false)[0].kind, Kind::ServerPrepare);
}

#[test]
fn an_answer_that_was_not_understood_is_a_failure_although_the_call_succeeded() {
    let lost = json!({"send": {"status": "error", "localVersion": 3, "serverVersion": -1, "chunks": 1, "bytes": 9}});
    let failures = classify_answer(Call::Send, &lost, false);
    assert_eq!((failures.len(), failures[0].kind), (1, Kind::BadAnswer));
    for odd in [json!(0), json!(null), json!("text"), json!([]), json!({})] {
        assert_eq!(classify_answer(Call::Receive, &odd, false)[0].kind, Kind::BadAnswer, "{odd}");
        assert!(classify_answer(Call::Open, &odd, false).is_empty());
    }
}

#[test]
fn out_of_sync_is_a_failure_only_when_everything_has_settled() {
    let answer =
        json!({"send": {"status": "out-of-sync", "localVersion": 9, "serverVersion": 7, "chunks": 0, "bytes": 0}});
    assert!(classify_answer(Call::Send, &answer, false).is_empty());
    assert_eq!(classify_answer(Call::Send, &answer, true)[0].kind, Kind::OutOfSync);
    let fine = json!({"send": {"status": "synced", "serverVersion": 9}, "receive": {"rows": 0, "complete": true}});
    assert!(classify_answer(Call::Sync, &fine, true).is_empty());
}

#[test]
fn a_sync_document_raised_as_an_error_is_read_as_one() {
    let message = "{\"send\":{\"status\":\"synced\",\"localVersion\":1,\"serverVersion\":1,\"chunks\":0,\"bytes\":0},\"receive\":{\"rows\":0,\"tables\":[],\"chunks\":0,\"bytes\":0,\"complete\":false,\"error\":\"receive failed\"}}";
    let failure = raise(Call::Sync, 1, message);
    assert_eq!((failure.kind, failure.side), (Kind::BadAnswer, Side::Server));
    assert_eq!(failure.message, message);
}

#[test]
fn names_are_those_of_the_yaml() {
    for kind in Kind::ALL {
        assert_eq!(serde_json::to_value(kind).expect("a unit variant"), json!(kind.as_str()));
    }
    for side in Side::ALL {
        assert_eq!(serde_json::to_value(side).expect("a unit variant"), json!(side.as_str()));
    }
}
