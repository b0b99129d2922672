// Who sees what of the agency: the schema's audiences and grants, run on a seeded PostgreSQL, against the agency's own rules.
//
// The table below is the rule, written a second time as plain SQL per kind of person. For each person and table the rows that the
// audiences show are compared with the rows that the rule names; one row too many or too few fails.
#include "base/buf.h"
#include "charleos.schema.charle.h"
#include "support/pg_cluster.h"
#include "tools/seed/seed.h"

#include <stdio.h>
#include <string.h>

// clang-format off: cmocka wants these before it
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
// clang-format on

enum { ADMIN, MANAGER, PM, CSM, IC, SDR, PORTAL, ROLES };
static const struct {
    const char *principal, *email;
} people[ROLES] = {
    [ADMIN] = {"user", "ada@charleos.test"}, [MANAGER] = {"user", "mo@charleos.test"}, [PM] = {"user", "pia@charleos.test"},
    [CSM] = {"user", "cas@charleos.test"},   [IC] = {"user", "dev@charleos.test"},     [SDR] = {"user", "sid@charleos.test"},
    [PORTAL] = {"client_user", "pat@northwind.test"},
};

// Rows of the table as `r`; ME is the person, CO the portal person's client, MINE the clients of a customer success manager.
#define ALL    "true"
#define NONE   "false"
#define OWN    "r.user_id = ME"
#define MINE   "r.client_id in (select id from client where csm_id = ME)"
#define CO     "r.client_id = CO"
#define VIA(table, key, what) key " in (select r.id from " table " r where " what ")"
#define WORK   "r.subject_type in ('task', 'subtask', 'help_desk_ticket')"
#define SOLD   "r.subject_type in ('quote', 'project', 'project_task')"
#define ON_IT  "exists (select 1 from project_task t where t.project_id = r.id and t.assignee_id = ME)"
#define QUOTED "exists (select 1 from quote_requirement q join quote_requirement_assignee a on a.quote_requirement_id = q.id" \
               " where q.quote_id = r.id and a.user_id = ME)"

static const struct rule {
    const char *table;
    const char *who[ROLES]; // admin, manager, project manager, customer success, delivery, sales development, portal
} rules[] = {
    {"user", {ALL, ALL, ALL, ALL, ALL, ALL, "exists (select 1 from client c where c.id = CO and r.id in (c.csm_id, c.pm_id))"}},
    {"session", {NONE, NONE, NONE, NONE, NONE, NONE, NONE}},
    {"account", {NONE, NONE, NONE, NONE, NONE, NONE, NONE}},
    {"verification", {NONE, NONE, NONE, NONE, NONE, NONE, NONE}},
    {"client_session", {NONE, NONE, NONE, NONE, NONE, NONE, NONE}},
    {"client_account", {NONE, NONE, NONE, NONE, NONE, NONE, NONE}},
    {"client_verification", {NONE, NONE, NONE, NONE, NONE, NONE, NONE}},
    {"user_preference", {OWN, OWN, OWN, OWN, OWN, OWN, NONE}},
    {"client_user", {ALL, ALL, ALL, MINE, NONE, NONE, CO}},
    {"client_user_preference", {NONE, NONE, NONE, NONE, NONE, NONE, "r.client_user_id = ME"}},
    {"department", {ALL, ALL, ALL, ALL, ALL, ALL, NONE}},
    {"tshirt_size", {ALL, ALL, ALL, ALL, ALL, ALL, ALL}},
    {"bank_holiday", {ALL, ALL, ALL, ALL, ALL, ALL, NONE}},
    {"capacity_rule", {ALL, ALL, ALL, ALL, ALL, ALL, NONE}},
    {"client", {ALL, ALL, ALL, ALL, ALL, ALL, "r.id = CO"}},
    {"quote", {ALL, ALL, ALL, ALL, QUOTED, NONE, CO}},
    {"quote_requirement", {ALL, ALL, ALL, ALL, "exists (select 1 from quote_requirement_assignee a where a.quote_requirement_id = r.id and a.user_id = ME)",
                           NONE, VIA("quote", "r.quote_id", CO)}},
    {"quote_requirement_assignee", {ALL, ALL, ALL, ALL, OWN, NONE,
                                    "r.quote_requirement_id in (select q.id from quote_requirement q join quote r on r.id = q.quote_id where " CO ")"}},
    {"task", {ALL, ALL, ALL, ALL, ALL, NONE, CO}},
    {"task_requirement", {ALL, ALL, ALL, ALL, ALL, NONE, VIA("task", "r.task_id", CO)}},
    {"project", {ALL, ALL, ALL, MINE, ON_IT, NONE, CO}},
    {"project_phase", {ALL, ALL, ALL, VIA("project", "r.project_id", MINE),
                       "exists (select 1 from project_task t where t.phase_id = r.id and t.assignee_id = ME)", NONE, VIA("project", "r.project_id", CO)}},
    {"project_task", {ALL, ALL, ALL, VIA("project", "r.project_id", MINE), "r.assignee_id = ME", NONE, VIA("project", "r.project_id", CO)}},
    {"project_sign_off", {ALL, ALL, ALL, VIA("project", "r.project_id", MINE), VIA("project_task", "r.project_task_id", "r.assignee_id = ME"), NONE,
                          VIA("project", "r.project_id", CO)}},
    {"comment", {ALL, ALL, ALL, ALL, WORK " or r.author_user_id = ME", "r.author_user_id = ME", CO " and r.visibility = 'client'"}},
    {"attachment", {ALL, ALL, ALL, ALL, WORK " or r.uploaded_by_user_id = ME", "r.uploaded_by_user_id = ME", CO " and r.visibility = 'client'"}},
    {"subtask", {ALL, ALL, ALL, ALL, ALL, NONE,
                 VIA("task", "r.task_id", CO) " and r.type in ('design', 'client_design_feedback', 'external_qa_review')"}},
    {"subtask_review", {ALL, ALL, ALL, ALL, ALL, NONE,
                        "r.reviewer_kind = 'client' and r.subtask_id in (select s.id from subtask s join task r on r.id = s.task_id where " CO ")"}},
    {"block", {ALL, ALL, ALL, ALL, "r.assignee_id = ME or exists (select 1 from subtask s where s.block_id = r.id and s.assignee_id = ME)",
               "r.assignee_id = ME", CO}},
    {"roadmap_item", {ALL, ALL, ALL, MINE, NONE, NONE, CO}},
    {"schedule_item", {ALL, ALL, ALL, ALL, OWN, OWN, NONE}},
    {"schedule_allocation", {ALL, ALL, ALL, ALL, OWN, OWN, NONE}},
    {"plan", {ALL, ALL, ALL, ALL, NONE, NONE, "r.id = (select plan_id from client where id = CO)"}},
    {"client_plan_change", {ALL, ALL, NONE, MINE, NONE, NONE, NONE}},
    {"client_period", {ALL, ALL, ALL, MINE, NONE, NONE, CO}},
    {"period_adjustment", {ALL, ALL, ALL, VIA("client_period", "r.client_period_id", MINE), NONE, NONE, VIA("client_period", "r.client_period_id", CO)}},
    {"time_entry", {ALL, ALL, ALL, OWN " or " MINE, OWN, OWN, NONE}},
    {"client_metric", {ALL, ALL, NONE, MINE, NONE, NONE, NONE}},
    {"user_metric", {ALL, ALL, ALL, OWN, OWN, OWN, NONE}},
    {"requirement_efficiency", {ALL, ALL, ALL, MINE,
                                "exists (select 1 from subtask s where s.task_requirement_id = r.task_requirement_id and s.assignee_id = ME)", NONE, NONE}},
    {"client_score", {ALL, ALL, ALL, MINE, NONE, NONE, NONE}},
    {"help_desk_ticket", {ALL, ALL, ALL, ALL, ALL, NONE, CO}},
    {"help_desk_message", {ALL, ALL, ALL, ALL, VIA("help_desk_ticket", "r.ticket_id", "r.assignee_id = ME"), NONE,
                           VIA("help_desk_ticket", "r.ticket_id", CO) " and r.visibility = 'client'"}},
    {"leave_request", {ALL, ALL, "r.status = 'approved' or " OWN, "r.status = 'approved' or " OWN, "r.status = 'approved' or " OWN,
                       "r.status = 'approved' or " OWN, NONE}},
    {"leave_balance", {ALL, ALL, OWN, OWN, OWN, OWN, NONE}},
    {"notification", {"r.recipient_user_id = ME", "r.recipient_user_id = ME", "r.recipient_user_id = ME", "r.recipient_user_id = ME",
                      "r.recipient_user_id = ME", "r.recipient_user_id = ME", "r.recipient_client_user_id = ME"}},
    {"activity_log", {ALL, ALL, "r.actor_user_id = ME or r.subject_type not in ('leave_request', 'user', 'plan', 'client', 'time_entry')",
                      "r.actor_user_id = ME or r.subject_type not in ('leave_request', 'user', 'plan', 'client', 'time_entry')",
                      "r.actor_user_id = ME or r.subject_type in ('task', 'subtask', 'subtask_review', 'help_desk_ticket')",
                      "r.actor_user_id = ME", CO " and r.client_visible"}},
};

static PGconn *pg;
static char ids[ROLES][64], client_of[ROLES][64];

static PGresult *query(const char *sql)
{
    PGresult *result = PQexec(pg, sql);

    if (PQresultStatus(result) != PGRES_TUPLES_OK)
        fail_msg("%s\n%s", PQerrorMessage(pg), sql);
    return result;
}

static void must(const char *sql)
{
    PGresult *result = PQexec(pg, sql);
    ExecStatusType status = PQresultStatus(result);

    if (status != PGRES_COMMAND_OK && status != PGRES_EMPTY_QUERY)
        fail_msg("%s: %s", sql, PQerrorMessage(pg));
    PQclear(result);
}

static int make_agency(void **state)
{
    const struct charle_schema *schema = &charleos_schema_tables;
    const struct charle_seed_options options = {.today = {20779}};
    char url[CH_PG_CLUSTER_URL_SIZE];
    struct charle_error err = {0};

    (void)state;
    if (!ch_pg_cluster_database(ch_pg_cluster_shared(), "visibility", url))
        return 1;
    pg = PQconnectdb(url);
    for (size_t i = 0; i < schema->table_count; i++)
        must(schema->create_order[i]->pg_create);
    if (charle_seed_run(pg, &options, NULL, NULL, NULL, &err)) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    for (int role = 0; role < ROLES; role++) {
        char sql[200];
        PGresult *result;

        snprintf(sql, sizeof sql, "select id, %s from \"%s\" where email = '%s'", role == PORTAL ? "client_id" : "''",
                 people[role].principal, people[role].email);
        result = query(sql);
        snprintf(ids[role], sizeof ids[role], "%s", PQgetvalue(result, 0, 0));
        snprintf(client_of[role], sizeof client_of[role], "%s", PQgetvalue(result, 0, 1));
        PQclear(result);
    }
    return 0;
}

static int drop_agency(void **state)
{
    (void)state;
    PQfinish(pg);
    return 0;
}

// Copies text with each `mark` replaced by the literal 'value'.
static void add_with(struct charle_buf *buf, const char *text, int role)
{
    for (; *text; text++) {
        if (strncmp(text, "ME", 2) == 0 || strncmp(text, "CO", 2) == 0) {
            charle_buf_printf(buf, "'%s'", *text == 'M' ? ids[role] : client_of[role]);
            text++;
        } else {
            charle_buf_add_byte(buf, (uint8_t)*text);
        }
    }
}

// Whether the person holds the audience at all; *keys becomes an SQL array of the keys held.
static bool held(const struct charle_audience *audience, int role, struct charle_buf *keys)
{
    bool is_held = false;

    charle_buf_reset(keys);
    charle_buf_add_text(keys, "array[");
    for (size_t i = 0; i < charleos_schema_tables.grant_count; i++) {
        const struct charle_grant *grant = &charleos_schema_tables.grants[i];
        const char *params[] = {ids[role]};
        PGresult *result;

        if (!charle_str_equal(grant->audience, audience->name) || !charle_str_equal(grant->principal, charle_str(people[role].principal)))
            continue;
        result = PQexecParams(pg, grant->sql, 1, NULL, params, NULL, NULL, 0);
        assert_int_equal(PQresultStatus(result), PGRES_TUPLES_OK);
        for (int row = 0; row < PQntuples(result); row++, is_held = true)
            charle_buf_printf(keys, "%s'%s'", is_held ? ", " : "", PQgetvalue(result, row, 0));
        PQclear(result);
    }
    charle_buf_add_text(keys, "]::text[]");
    return is_held;
}

static void add_audience(struct charle_buf *buf, const struct charle_table *table, const struct charle_audience *audience, int role)
{
    struct charle_buf keys = {0};

    if (!held(audience, role, &keys)) {
        charle_buf_add_text(buf, " or false");
        charle_buf_deinit(&keys);
        return;
    }
    charle_buf_printf(buf, " or (%s", audience->where_pg ? audience->where_pg : "true");
    if (audience->kind == CHARLE_AUDIENCE_COLUMN)
        charle_buf_printf(buf, " and r.\"%.*s\" = any (%s)", CHARLE_FMT(table->columns[audience->column].name), charle_buf_text(&keys));
    else if (audience->kind == CHARLE_AUDIENCE_PATH)
        charle_buf_printf(buf, " and exists (select 1 from %s and %s = any (%s))", audience->path_from, audience->path_key, charle_buf_text(&keys));
    charle_buf_add_text(buf, ")");
    charle_buf_deinit(&keys);
}

static void compare(const struct rule *rule, int role, int *out_shown)
{
    const struct charle_table *table = charle_schema_table_named(&charleos_schema_tables, charle_str(rule->table));
    struct charle_buf sql = {0};
    PGresult *result;

    assert_non_null(table);
    charle_buf_printf(&sql, "select count(*) filter (where seen and ruled), count(*) filter (where seen and not ruled),"
                            " count(*) filter (where ruled and not seen) from (select coalesce(false");
    for (size_t i = 0; i < table->audience_count; i++)
        add_audience(&sql, table, &table->audiences[i], role);
    charle_buf_add_text(&sql, ", false) as seen, coalesce(");
    add_with(&sql, rule->who[role], role);
    charle_buf_printf(&sql, ", false) as ruled from \"%s\" r) x", rule->table);
    result = query(charle_buf_text(&sql));
    if (strcmp(PQgetvalue(result, 0, 1), "0") != 0 || strcmp(PQgetvalue(result, 0, 2), "0") != 0)
        fail_msg("%s sees %s rows of %s too many and %s too few", people[role].email, PQgetvalue(result, 0, 1), rule->table, PQgetvalue(result, 0, 2));
    *out_shown = (int)strtol(PQgetvalue(result, 0, 0), NULL, 10);
    PQclear(result);
    charle_buf_deinit(&sql);
}

static void check_role(int role, int tables_min)
{
    int with_rows = 0;

    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        int shown;

        compare(&rules[i], role, &shown);
        with_rows += shown > 0;
    }
    // The comparison means little on empty sets: most tables must show something.
    assert_in_range(with_rows, tables_min, sizeof rules / sizeof *rules);
}

static void every_table_has_a_rule(void **state)
{
    (void)state;
    assert_int_equal(sizeof rules / sizeof *rules, 47);
    for (size_t i = 0; i < 47; i++) {
        const struct charle_table *table = charle_schema_table_named(&charleos_schema_tables, charle_str(rules[i].table));

        assert_non_null(table);
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(rules[i].table, rules[j].table);
        assert_int_equal(table->is_replicated, strcmp(rules[i].who[ADMIN], NONE) != 0 || strcmp(rules[i].who[PORTAL], NONE) != 0);
    }
}

static void administrators(void **state) { (void)state; check_role(ADMIN, 38); }
static void managers(void **state) { (void)state; check_role(MANAGER, 38); }
static void project_managers(void **state) { (void)state; check_role(PM, 36); }
static void customer_success(void **state) { (void)state; check_role(CSM, 34); }
static void delivery_people(void **state) { (void)state; check_role(IC, 22); }
static void sales_development(void **state) { (void)state; check_role(SDR, 8); }
static void portal_people(void **state) { (void)state; check_role(PORTAL, 15); }

static void people_who_are_not_active_hold_nothing(void **state)
{
    (void)state;
    for (size_t i = 0; i < charleos_schema_tables.grant_count; i++) {
        const struct charle_grant *grant = &charleos_schema_tables.grants[i];
        char sql[200];
        PGresult *sleepers;

        snprintf(sql, sizeof sql, "select id from \"%.*s\" where status <> 'active'", CHARLE_FMT(grant->principal));
        sleepers = query(sql);
        assert_true(PQntuples(sleepers) > 0);
        for (int row = 0; row < PQntuples(sleepers); row++) {
            const char *params[] = {PQgetvalue(sleepers, row, 0)};
            PGresult *result = PQexecParams(pg, grant->sql, 1, NULL, params, NULL, NULL, 0);

            assert_int_equal(PQresultStatus(result), PGRES_TUPLES_OK);
            assert_int_equal(PQntuples(result), 0);
            PQclear(result);
        }
        PQclear(sleepers);
    }
}

// --- columns -----------------------------------------------------------------------------------------------------------

// Columns that only some audiences may show; an audience that is not named must not.
static const struct {
    const char *table, *column, *audiences;
} guarded[] = {
    // Money: managers and executives, the client's own success manager, and the portal its own price.
    {"plan", "monthly_cost_pence", "money account portal"},
    {"client", "cost_override_pence", "money account portal"},
    {"client_period", "monthly_cost_pence", "money account"},
    {"client_plan_change", "cost_override_pence", "money account"},
    {"client_plan_change", "mrr_delta_pence", "money account"},
    {"client_metric", "sold_day_rate_pence", "money account"},
    {"client_metric", "actual_day_rate_pence", "money account"},
    {"user_metric", "day_rate_pence", "user managers"},
    // What a person tells few others.
    {"user", "email", "managers user"},
    {"user", "slack_user_id", "managers user"},
    {"user", "birthday", "managers user"},
    {"user", "join_date", "managers user"},
    {"user", "has_executive_access", "managers user"},
    {"leave_request", "reason", "user reports"},
    {"leave_request", "type", "user reports managers"},
    {"client_user", "email", "managers account portal"},
    // What the client is not told.
    {"client", "notes", "leads account"},
    {"client", "rag_status", "leads account"},
    {"client", "rag_note", "leads account"},
    {"quote", "cancel_reason", "leads user"},
    {"quote_requirement", "scope", "leads user offer"},
    {"quote_requirement", "size", "leads user offer"},
    {"quote_requirement", "scope_draft", "leads user"},
    {"quote_requirement", "suggestion_reasoning", "leads user"},
    {"task_requirement", "actual_minutes", "team"},
    {"task_requirement", "billable_minutes", "team"},
    {"project", "pm_allocated_days", "pms account user"},
    {"project_phase", "allocated_days", "pms account user"},
    {"subtask", "estimated_minutes", "team"},
    {"subtask", "assignee_id", "team"},
    {"block", "allocated_minutes", "leads user work"},
    {"block", "assignee_id", "leads user work"},
    {"help_desk_ticket", "estimated_minutes", "team"},
    {"help_desk_ticket", "assignee_id", "team"},
    {"activity_log", "before", "team leads managers user"},
    {"activity_log", "after", "team leads managers user"},
};

static bool is_named(const char *names, struct charle_str name)
{
    for (const char *at = names; *at;) {
        size_t len = strcspn(at, " ");

        if (len == name.len && strncmp(at, name.ptr, len) == 0)
            return true;
        at += len + (at[len] == ' ');
    }
    return false;
}

static void guarded_columns_are_shown_to_those_named_only(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof guarded / sizeof *guarded; i++) {
        const struct charle_table *table = charle_schema_table_named(&charleos_schema_tables, charle_str(guarded[i].table));
        const struct charle_column *column = charle_table_column(table, charle_str(guarded[i].column));

        assert_non_null(column);
        for (size_t a = 0; a < table->audience_count; a++) {
            const struct charle_audience *audience = &table->audiences[a];

            if (charle_column_set_has(&audience->columns, column->index) != is_named(guarded[i].audiences, audience->name))
                fail_msg("%s.%s and audience %.*s", guarded[i].table, guarded[i].column, CHARLE_FMT(audience->name));
        }
    }
}

static void pence_is_guarded_wherever_it_stands(void **state)
{
    (void)state;
    for (size_t i = 0; i < charleos_schema_tables.table_count; i++) {
        const struct charle_table *table = charleos_schema_tables.tables[i];

        for (size_t c = 0; c < table->column_count; c++) {
            bool is_listed = false;

            if (!strstr(table->columns[c].name.ptr, "pence"))
                continue;
            for (size_t g = 0; g < sizeof guarded / sizeof *guarded; g++)
                is_listed |= charle_str_equal(table->name, charle_str(guarded[g].table)) &&
                             charle_str_equal(table->columns[c].name, charle_str(guarded[g].column));
            assert_true(is_listed);
        }
    }
}

static void secrets_stay_on_the_server(void **state)
{
    static const char *const words[] = {"token", "password"};

    (void)state;
    for (size_t i = 0; i < charleos_schema_tables.table_count; i++) {
        const struct charle_table *table = charleos_schema_tables.tables[i];

        for (size_t c = 0; c < table->column_count; c++)
            for (size_t w = 0; w < 2; w++) {
                const char *name = table->columns[c].name.ptr;

                if (strstr(name, words[w]) && !strstr(name, "expires_at")) {
                    assert_true(table->columns[c].is_server_only);
                    assert_false(table->is_replicated);
                }
            }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_table_has_a_rule),
        cmocka_unit_test(administrators),
        cmocka_unit_test(managers),
        cmocka_unit_test(project_managers),
        cmocka_unit_test(customer_success),
        cmocka_unit_test(delivery_people),
        cmocka_unit_test(sales_development),
        cmocka_unit_test(portal_people),
        cmocka_unit_test(people_who_are_not_active_hold_nothing),
        cmocka_unit_test(guarded_columns_are_shown_to_those_named_only),
        cmocka_unit_test(pence_is_guarded_wherever_it_stands),
        cmocka_unit_test(secrets_stay_on_the_server),
    };
    return cmocka_run_group_tests(tests, make_agency, drop_agency);
}
