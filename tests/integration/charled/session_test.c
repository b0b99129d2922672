// Sessions on a real PostgreSQL: found by their tables' shape, cached, revoked, guarded.
#include "charleos.schema.charle.h"
#include "db/pg/pg.h"
#include "server/ddl.h"
#include "server/migrate.h"
#include "server/password.h"
#include "server/session.h"
#include "server/token.h"
#include "support/pg_cluster.h"
#include "test.h"

#include <sodium.h>
#include <stdlib.h>

struct fixture {
    struct charle_db *db;
    struct ch_sessions *sessions;
    struct charle_arena arena;
    int scope_calls;
};

// Everybody who is active is in "staff"; enough to tell who may sign in, and how often it was asked.
static enum charle_err staff_only(void *ctx, struct charle_db *db, struct charle_str principal, struct charle_str id,
                                  struct charle_arena *arena, struct ch_scopes *out, struct charle_error *err)
{
    static const struct charle_str staff = CHARLE_STR_INIT("staff");
    struct fixture *fixture = ctx;
    struct charle_value param = charle_text(id);
    struct charle_rows *rows = NULL;
    (void)arena;
    fixture->scope_calls++;
    const char *sql = charle_str_equal(principal, CHARLE_STR("user"))
                          ? "select 1 from \"user\" where id = $1 and status = 'active'"
                          : "select 1 from client_user where id = $1 and status = 'active'";
    enum charle_err rc = charle_query(db, sql, &param, 1, &rows, err);
    if (rc == CHARLE_OK)
        rc = charle_rows_next(rows, err);
    charle_rows_close(rows);
    *out = (struct ch_scopes){&staff, rc == CHARLE_OK};
    return rc == CHARLE_DONE ? CHARLE_OK : rc;
}

static void run(struct charle_db *db, const char *sql)
{
    struct charle_error err = {0};
    assert_ok(charle_exec_script(db, sql, &err), &err);
}

// People of both kinds with the password "secret horse"; triggers are left out, since nothing replicates here.
static void make_people(struct charle_db *db)
{
    char hash[CH_PASSWORD_HASH_SIZE], sql[2000];
    struct charle_error err = {0};
    assert_ok(ch_password_hash(charle_str("secret horse"), hash, &err), &err);
    snprintf(sql, sizeof(sql),
             "insert into \"user\" (id, name, email, status) values ('u1', 'Ann', 'ann@agency.test', 'active'), ('u2', "
             "'Bob', 'bob@agency.test', 'deactivated');"
             "insert into client (id, name, slug) values ('c1', 'Acme', 'acme');"
             "insert into client_user (id, client_id, name, email, status) values ('p1', 'c1', 'Cy', 'cy@acme.test', "
             "'active');"
             "insert into client_account (id, client_user_id, provider_id, account_id, password) values ('a1', 'p1', "
             "'credential', 'p1', '%s');"
             "insert into charle.credential (principal, principal_id, hash) values ('user', 'u1', '%s'), ('user', "
             "'u2', '%s');",
             hash, hash, hash);
    run(db, sql);
}

static int open_fixture(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    char url[CH_PG_CLUSTER_URL_SIZE];
    struct charle_error err = {0};
    struct charle_buf sql = {0};
    static const struct charle_schema none = {.name = CHARLE_STR_INIT("none")};
    struct ch_migration_list bootstrap = {.schema = &none};
    PGconn *conn = NULL;
    assert_true(ch_pg_cluster_database(ch_pg_cluster_shared(), "sessions", url));
    assert_ok(ch_database_open(url, 10000, &conn, &err), &err);
    assert_ok(ch_migrate(conn, &bootstrap, true, NULL, &err), &err);
    PQfinish(conn);
    assert_ok(ch_pg_open(url, NULL, &fixture->db, &err), &err);
    for (size_t i = 0; i < charleos_schema_tables.table_count; i++)
        charle_buf_add_text(&sql, charleos_schema_tables.create_order[i]->pg_create);
    run(fixture->db, charle_buf_text(&sql));
    charle_buf_deinit(&sql);
    make_people(fixture->db);
    assert_ok(ch_sessions_new(&charleos_schema_tables, staff_only, fixture, &fixture->sessions, &err), &err);
    *state = fixture;
    return 0;
}

static int close_fixture(void **state)
{
    struct fixture *fixture = *state;
    ch_sessions_free(fixture->sessions);
    charle_db_close(fixture->db);
    charle_arena_deinit(&fixture->arena);
    free(fixture);
    return 0;
}

static enum charle_err sign_in(struct fixture *fixture, const char *principal, const char *email, const char *password,
                               struct ch_login_result *out, struct charle_error *err)
{
    struct ch_login login = {.principal = charle_str(principal),
                             .email = charle_str(email),
                             .password = charle_str(password),
                             .peer = charle_str("10.1.2.3:4567"),
                             .agent = charle_str("test")};
    charle_arena_reset(&fixture->arena);
    return ch_sessions_login(fixture->sessions, fixture->db, &login, &fixture->arena, out, err);
}

static void team_and_portal_sign_in(void **state)
{
    struct fixture *fixture = *state;
    struct ch_login_result result;
    struct ch_session *session = NULL;
    struct charle_error err = {0};
    assert_ok(sign_in(fixture, "user", "Ann@Agency.test", "secret horse", &result, &err), &err);
    assert_true(charle_str_equal(result.name, charle_str("Ann")));
    assert_true(result.expires_at.us > ch_clock_wall().us + (int64_t)6 * 86400 * 1000000);
    assert_null(ch_sessions_find(fixture->sessions, charle_str(result.token))); // not asked for yet
    assert_ok(ch_sessions_load(fixture->sessions, fixture->db, charle_str(result.token), &session, &err), &err);
    assert_true(charle_str_equal(ch_session_identity(session)->id, charle_str("u1")));
    assert_true(charle_identity_holds(ch_session_identity(session), charle_str("staff")));
    ch_session_release(session);
    session = ch_sessions_find(fixture->sessions, charle_str(result.token));
    assert_non_null(session);
    ch_session_release(session);

    assert_ok(sign_in(fixture, "client_user", "cy@acme.test", "secret horse", &result, &err), &err);
    assert_ok(ch_sessions_load(fixture->sessions, fixture->db, charle_str(result.token), &session, &err), &err);
    assert_true(charle_str_equal(ch_session_identity(session)->principal, charle_str("client_user")));
    ch_session_release(session);
    run(fixture->db, "do $$ begin assert (select count(*) from client_session where ip_address = '10.1.2.3' and "
                     "length(token) = 64) = 1; end $$");
}

static void wrong_ones_are_refused_alike(void **state)
{
    struct fixture *fixture = *state;
    struct ch_login_result result;
    struct charle_error wrong = {0}, unknown = {0}, err = {0};
    assert_int_equal(sign_in(fixture, "user", "ann@agency.test", "wrong", &result, &wrong), CHARLE_UNAUTHENTICATED);
    assert_int_equal(sign_in(fixture, "user", "nobody@agency.test", "wrong", &result, &unknown),
                     CHARLE_UNAUTHENTICATED);
    assert_string_equal(wrong.text, unknown.text);
    assert_int_equal(sign_in(fixture, "user", "bob@agency.test", "secret horse", &result, &err),
                     CHARLE_PERMISSION_DENIED);
    assert_contains(err.text, "not active");
    assert_int_equal(sign_in(fixture, "client_user", "ann@agency.test", "secret horse", &result, &err),
                     CHARLE_UNAUTHENTICATED);
    assert_int_equal(sign_in(fixture, "client", "ann@agency.test", "secret horse", &result, &err),
                     CHARLE_INVALID_ARGUMENT);
}

static void guessing_closes_the_account_known_or_not(void **state)
{
    struct fixture *fixture = *state;
    static const char *const emails[] = {"cy@acme.test", "ghost@acme.test"};
    struct ch_login_result result;
    for (size_t i = 0; i < 2; i++) {
        struct charle_error err = {0};
        for (int n = 0; n < 5; n++)
            assert_int_equal(sign_in(fixture, "client_user", emails[i], "guess", &result, &err),
                             CHARLE_UNAUTHENTICATED);
        assert_int_equal(sign_in(fixture, "client_user", emails[i], "secret horse", &result, &err),
                         CHARLE_RESOURCE_EXHAUSTED);
        assert_contains(err.text, "try again in 15 minutes");
    }
}

static void a_revoked_session_ends_for_everyone_who_holds_it(void **state)
{
    struct fixture *fixture = *state;
    struct ch_login_result result;
    struct ch_session *held = NULL, *session = NULL;
    struct charle_error err = {0};
    assert_ok(sign_in(fixture, "user", "ann@agency.test", "secret horse", &result, &err), &err);
    assert_ok(ch_sessions_load(fixture->sessions, fixture->db, charle_str(result.token), &held, &err), &err);
    ch_sessions_grants_changed(fixture->sessions); // the held object is replaced by the next load
    assert_null(ch_sessions_find(fixture->sessions, charle_str(result.token)));
    int asked = fixture->scope_calls;
    assert_ok(ch_sessions_load(fixture->sessions, fixture->db, charle_str(result.token), &session, &err), &err);
    assert_int_equal(fixture->scope_calls, asked + 1);
    assert_ptr_not_equal(held, session);
    assert_ok(ch_sessions_sweep(fixture->sessions, fixture->db, &err), &err);
    assert_false(ch_session_is_revoked(held));
    run(fixture->db, "delete from session where user_id = 'u1'");
    assert_ok(ch_sessions_sweep(fixture->sessions, fixture->db, &err), &err);
    assert_true(ch_session_is_revoked(held));
    assert_true(ch_session_is_revoked(session));
    assert_null(ch_sessions_find(fixture->sessions, charle_str(result.token)));
    struct ch_session *none = NULL;
    assert_int_equal(ch_sessions_load(fixture->sessions, fixture->db, charle_str(result.token), &none, &err),
                     CHARLE_UNAUTHENTICATED);
    ch_session_release(held);
    ch_session_release(session);
}

static void logout_ends_a_session(void **state)
{
    struct fixture *fixture = *state;
    struct ch_login_result result;
    struct ch_session *session = NULL, *none = NULL;
    struct charle_error err = {0};
    assert_ok(sign_in(fixture, "user", "ann@agency.test", "secret horse", &result, &err), &err);
    assert_ok(ch_sessions_load(fixture->sessions, fixture->db, charle_str(result.token), &session, &err), &err);
    assert_ok(ch_sessions_logout(fixture->sessions, fixture->db, session, &err), &err);
    assert_true(ch_session_is_revoked(session));
    ch_session_release(session);
    assert_int_equal(ch_sessions_load(fixture->sessions, fixture->db, charle_str(result.token), &none, &err),
                     CHARLE_UNAUTHENTICATED);
}

static void rubbish_and_expired_tokens_open_nothing(void **state)
{
    struct fixture *fixture = *state;
    struct ch_login_result result;
    struct ch_session *none = NULL;
    struct charle_error err = {0};
    char forged[CH_TOKEN_SIZE];
    static const char *const rubbish[] = {"", "ct_", "ct_short", "x",
                                          "ct_' or true or token = '00000000000000000000000000000"};
    for (size_t i = 0; i < sizeof(rubbish) / sizeof(rubbish[0]); i++)
        assert_int_equal(ch_sessions_load(fixture->sessions, fixture->db, charle_str(rubbish[i]), &none, &err),
                         CHARLE_UNAUTHENTICATED);
    ch_token_new(forged);
    assert_int_equal(ch_sessions_load(fixture->sessions, fixture->db, charle_str(forged), &none, &err),
                     CHARLE_UNAUTHENTICATED);
    assert_ok(sign_in(fixture, "user", "ann@agency.test", "secret horse", &result, &err), &err);
    run(fixture->db, "update session set expires_at = now() - interval '1 second'");
    assert_int_equal(ch_sessions_load(fixture->sessions, fixture->db, charle_str(result.token), &none, &err),
                     CHARLE_UNAUTHENTICATED);
    assert_contains(err.text, "sign in again");
}

static void use_renews_a_session_after_a_day(void **state)
{
    struct fixture *fixture = *state;
    struct ch_login_result result;
    struct ch_session *session = NULL;
    struct charle_error err = {0};
    assert_ok(sign_in(fixture, "user", "ann@agency.test", "secret horse", &result, &err), &err);
    run(fixture->db, "update session set expires_at = now() + interval '2 days'");
    assert_ok(ch_sessions_load(fixture->sessions, fixture->db, charle_str(result.token), &session, &err), &err);
    assert_ok(ch_sessions_sweep(fixture->sessions, fixture->db, &err), &err);
    run(fixture->db, "do $$ begin assert (select max(expires_at) > now() + interval '6 days' from session); end $$");
    ch_session_release(session);
}

// --- a schema without session tables -------------------------------------------------------------------------------

static void other_applications_use_the_platforms_table(void **state)
{
    struct fixture *fixture = *state;
    const struct charle_schema *full = &charleos_schema_tables;
    const struct charle_table *only[] = {charle_schema_table_named(full, charle_str("user"))};
    struct charle_schema small = {.name = CHARLE_STR("small"),
                                  .tables = only,
                                  .table_count = 1,
                                  .grants = full->grants,
                                  .grant_count = full->grant_count};
    struct ch_sessions *sessions = fixture->sessions;
    struct ch_login_result result;
    struct ch_session *session = NULL;
    struct charle_error err = {0};
    assert_ok(ch_sessions_new(&small, staff_only, fixture, &fixture->sessions, &err), &err);
    assert_ok(sign_in(fixture, "user", "ann@agency.test", "secret horse", &result, &err), &err);
    run(fixture->db, "do $$ begin assert (select count(*) from charle.session where principal = 'user' and "
                     "principal_id = 'u1') = 1; end $$");
    assert_ok(ch_sessions_load(fixture->sessions, fixture->db, charle_str(result.token), &session, &err), &err);
    assert_ok(ch_sessions_sweep(fixture->sessions, fixture->db, &err), &err);
    assert_false(ch_session_is_revoked(session));
    assert_ok(ch_sessions_logout(fixture->sessions, fixture->db, session, &err), &err);
    ch_session_release(session);
    ch_sessions_free(fixture->sessions);
    fixture->sessions = sessions;
}

int main(void)
{
    if (sodium_init() < 0)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(team_and_portal_sign_in),
        cmocka_unit_test(wrong_ones_are_refused_alike),
        cmocka_unit_test(guessing_closes_the_account_known_or_not),
        cmocka_unit_test(a_revoked_session_ends_for_everyone_who_holds_it),
        cmocka_unit_test(logout_ends_a_session),
        cmocka_unit_test(rubbish_and_expired_tokens_open_nothing),
        cmocka_unit_test(use_renews_a_session_after_a_day),
        cmocka_unit_test(other_applications_use_the_platforms_table),
    };
    return cmocka_run_group_tests(tests, open_fixture, close_fixture);
}
