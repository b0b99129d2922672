#include "small_agency.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "charleos.schema.charle.h"
#include "server/sync/sync.h"

#define NOW_US (INT64_C(1794996000) * 1000000) // 2026-11-18 10:00 UTC

static void make_replica(struct charle_db *db)
{
    const struct charle_schema *schema = &charleos_schema_tables;
    struct charle_error err = {0};

    for (size_t i = 0; i < schema->table_count; i++)
        if (schema->create_order[i]->is_replicated)
            assert_ok(charle_exec_script(db, schema->create_order[i]->replica_create, &err), &err);
}

static void make_tables(struct charle_db *db)
{
    const struct charle_schema *schema = &charleos_schema_tables;
    bool is_pg = charle_db_dialect(db) == CHARLE_PG;
    struct charle_buf buf = {0};
    struct charle_error err = {0};

    if (is_pg) // columns that hold files refer to a table of the platform
        assert_ok(charle_exec_script(db, ch_platform_sql, &err), &err);
    for (size_t i = 0; i < schema->table_count; i++)
        charle_buf_add_text(&buf, is_pg ? schema->create_order[i]->pg_create : schema->create_order[i]->sqlite_create);
    for (size_t i = 0; i < schema->table_count; i++) {
        if (is_pg)
            charle_buf_add_text(&buf, schema->create_order[i]->pg_foreign_keys);
        charle_buf_add_text(&buf, is_pg ? schema->create_order[i]->pg_indexes : schema->create_order[i]->sqlite_indexes);
    }
    assert_non_null(charle_buf_text(&buf));
    assert_ok(charle_exec_script(db, charle_buf_text(&buf), &err), &err);
    charle_buf_deinit(&buf);
}

static const char people[] =
    "insert into \"user\" (id, name, email, status, work_type, access_level) values"
    " ('ada', 'Ada', 'ada@charleos.test', 'active', null, 'admin'),"
    " ('pia', 'Pia', 'pia@charleos.test', 'active', 'pm', 'staff'),"
    " ('dev', 'Dev', 'dev@charleos.test', 'active', 'development', 'staff'),"
    " ('dee', 'Dee', 'dee@charleos.test', 'active', 'design', 'staff');"
    "insert into plan (id, name, monthly_minutes, monthly_cost_pence) values ('growth', 'Growth', 3600, 500000);"
    "insert into client (id, name, slug, plan_id) values ('north', 'Northwind', 'northwind', 'growth'), ('south', 'Southgate', 'southgate', null);"
    "insert into client_period (id, client_id, month, monthly_cost_pence, gross_minutes, pm_deduction_minutes, allocated_minutes, remaining_minutes)"
    " values ('november', 'north', '2026-11', 500000, 3600, 540, 3060, 3060);"
    "insert into client_period (id, client_id, month, monthly_cost_pence, gross_minutes, pm_deduction_minutes, allocated_minutes, remaining_minutes,"
    " status, closed_at) values ('october', 'north', '2026-10', 500000, 3600, 540, 3060, 3060, 'closed', CLOSED);";
static const char work[] =
    "insert into task (id, display_id, title, client_id, status, priority) values ('t', 7, 'Redesign the menu', 'north', 'planned', 3),"
    " ('other', 8, 'Another one', 'south', 'backlog', 3);"
    "insert into task_requirement (id, task_id, type, size, quoted_minutes, quoted_max_minutes, feedback_budget_minutes,"
    " actual_minutes, billable_minutes, banked_minutes, overage_minutes, status)"
    " values ('r1', 't', 'design', 'M', 270, 360, 60, 0, 0, 0, 0, 'pending'), ('r2', 't', 'development', 'S', 90, 120, 30, 0, 0, 0, 0, 'pending');"
    "insert into subtask (id, task_id, task_requirement_id, type, status, assignee_id, start_date, end_date) values"
    " ('s1', 't', 'r1', 'design', 'scheduled', 'dee', '2026-11-16', '2026-11-18'),"
    " ('s2', 't', 'r2', 'development', 'scheduled', 'dev', '2026-11-19', '2026-11-19');"
    "insert into subtask (id, task_id, task_requirement_id, type) values ('s3', 't', 'r2', 'deployment');"
    "insert into help_desk_ticket (id, display_id, client_id, title, created_by_user_id) values ('h', 3, 'north', 'The form does not send', 'pia');"
    "insert into project (id, display_id, title, client_id) values ('p', 1, 'New site', 'south');"
    "insert into project_phase (id, project_id, name, kind) values ('ph', 'p', 'Discovery', 'custom');"
    "insert into project_task (id, project_id, phase_id, title) values ('pt', 'p', 'ph', 'Interviews');"
    "insert into schedule_item (id, kind, subtask_id, user_id, start_date, end_date, minutes, priority)"
    " values ('i1', 'subtask', 's2', 'dev', '2026-11-19', '2026-11-19', 60, 400);"
    "insert into schedule_allocation (user_id, date, schedule_item_id, minutes, sequence, state)"
    " values ('dev', '2026-11-19', 'i1', 60, 1, 'allocated');";

static void fill(struct charle_db *db)
{
    struct charle_error err = {0};
    struct charle_buf buf = {0};
    const char *mark = strstr(people, "CLOSED");

    charle_buf_add(&buf, people, (size_t)(mark - people));
    charle_buf_add_text(&buf, charle_db_dialect(db) == CHARLE_PG ? "'2026-11-05 09:00+00'" : "1793869200000000");
    charle_buf_add_text(&buf, mark + strlen("CLOSED"));
    charle_buf_add_text(&buf, work);
    assert_ok(charle_exec_script(db, charle_buf_text(&buf), &err), &err);
    charle_buf_deinit(&buf);
}

void agency_make(struct charle_db *db)
{
    make_tables(db);
    fill(db);
}

void agency_make_replica(struct charle_db *db)
{
    must_exec(db, "pragma foreign_keys = off");
    make_replica(db);
    fill(db);
    // Out of a developer's sight: months, and other people's calendars.
    must_exec(db, "delete from client_period");
    must_exec(db, "delete from plan");
}

struct charle_context *agency_call(struct agency_call *call, struct charle_db *db, const char *who, const struct charle_method *method)
{
    static const struct {
        const char *who;
        const char *scopes[8]; // sorted
    } held[] = {{"ada", {"admins", "leads", "managers", "money", "pms", "staff", "team", "user:ada"}},
                {"pia", {"leads", "pms", "staff", "team", "user:pia"}},
                {"dev", {"staff", "team", "user:dev"}},
                {"dee", {"staff", "team", "user:dee"}},
                {"pat", {"portal:north", "portals"}}};

    static uint64_t seed; // each call makes ids of its own

    memset(call, 0, sizeof *call);
    for (size_t i = 0; i < sizeof held / sizeof *held; i++)
        for (size_t s = 0; s < 8 && strcmp(held[i].who, who) == 0 && held[i].scopes[s]; s++)
            call->scopes[call->identity.scope_count++] = charle_str(held[i].scopes[s]);
    call->identity.principal = charle_str(strcmp(who, "pat") == 0 ? "client_user" : "user");
    call->identity.id = charle_str(who);
    call->identity.scopes = call->scopes;
    call->context.db = db;
    call->context.arena = &call->arena;
    call->context.schema = &charleos_schema_tables;
    call->context.identity = &call->identity;
    charle_context_seed(&call->context, (struct charle_ts){NOW_US}, ++seed);
    if (charle_db_dialect(db) == CHARLE_SQLITE) {
        must_exec(db, "pragma foreign_keys = off"); // laptops have none, and SQLite would look at the other tables for them
        assert_ok(ch_call_guard_open(&call->guard, db, &charleos_schema_tables, &call->err), &call->err);
        ch_call_guard_on(&call->guard, method);
    }
    return &call->context;
}

void agency_end(struct agency_call *call)
{
    if (charle_db_dialect(call->context.db) == CHARLE_SQLITE) {
        assert_ok(ch_sqlite_set_guard(call->context.db, NULL, &call->err), &call->err);
        must_exec(call->context.db, "pragma foreign_keys = on");
    }
    charle_arena_deinit(&call->arena);
}

struct charle_date agency_day(int month, int day)
{
    return charle_date_of(2026, month, day);
}

const char *agency_ask(struct charle_db *db, const char *sql)
{
    static char answer[256];
    struct charle_rows *rows = NULL;
    struct charle_value value = {0};
    struct charle_error err = {0};
    char text[600];

    snprintf(text, sizeof text, "select cast((%s) as text)", sql);
    assert_ok(charle_query(db, text, NULL, 0, &rows, &err), &err);
    assert_ok(charle_rows_next(rows, &err), &err);
    assert_ok(charle_rows_value(rows, 0, CHARLE_TYPE_TEXT, false, &value, &err), &err);
    snprintf(answer, sizeof answer, "%.*s", value.is_null ? 0 : CHARLE_FMT(value.text));
    charle_rows_close(rows);
    return answer;
}
