// The seed against a real PostgreSQL with stamping triggers: every table filled, every figure agreeing, the same rows for the same seed.
#include "base/buf.h"
#include "charleos.schema.charle.h"
#include "support/pg_cluster.h"
#include "tools/seed/seed.h"
#include "tools/seed/world.h"

#include <stdio.h>
#include <string.h>

// clang-format off: cmocka wants these before it
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
// clang-format on

#define TODAY {20779} // 2026-11-22

static void must(PGconn *pg, const char *sql)
{
    PGresult *result = PQexec(pg, sql);
    ExecStatusType status = PQresultStatus(result);

    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK && status != PGRES_EMPTY_QUERY)
        fail_msg("%s: %s", sql, PQerrorMessage(pg));
    PQclear(result);
}

static void must_file(PGconn *pg, const char *path)
{
    FILE *file = fopen(path, "r");
    struct charle_buf text = {0};
    char piece[8192];
    size_t size;

    assert_non_null(file);
    while ((size = fread(piece, 1, sizeof piece, file)))
        charle_buf_add(&text, piece, size);
    fclose(file);
    must(pg, charle_buf_text(&text));
    charle_buf_deinit(&text);
}

static const char *ask(PGconn *pg, const char *sql)
{
    static char answer[4][256];
    static unsigned turn;
    char *out = answer[turn++ % 4];
    PGresult *result = PQexec(pg, sql);

    if (PQresultStatus(result) != PGRES_TUPLES_OK || PQntuples(result) != 1)
        fail_msg("%s: %s", sql, PQerrorMessage(pg));
    snprintf(out, sizeof answer[0], "%s", PQgetvalue(result, 0, 0));
    PQclear(result);
    return out;
}

static void make_tables(PGconn *pg)
{
    const struct charle_schema *schema = &charleos_schema_tables;

    must_file(pg, PLATFORM_SQL);
    must(pg, schema->pg_extra);
    for (size_t i = 0; i < schema->table_count; i++)
        must(pg, schema->create_order[i]->pg_create);
    for (size_t i = 0; i < schema->table_count; i++) {
        must(pg, schema->create_order[i]->pg_foreign_keys);
        must(pg, schema->create_order[i]->pg_indexes);
    }
    for (size_t i = 0; i < schema->table_count; i++)
        must(pg, schema->create_order[i]->pg_triggers);
}

static PGconn *new_database(const char *name)
{
    char url[CH_PG_CLUSTER_URL_SIZE];
    PGconn *pg;

    assert_true(ch_pg_cluster_database(ch_pg_cluster_shared(), name, url));
    pg = PQconnectdb(url);
    assert_int_equal(PQstatus(pg), CONNECTION_OK);
    must(pg, "set client_min_messages = warning");
    make_tables(pg);
    return pg;
}

static void seed(PGconn *pg, const struct charle_seed_options *options)
{
    struct charle_error err = {0};
    enum charle_err rc = charle_seed_run(pg, options, NULL, NULL, NULL, &err);

    if (rc)
        fail_msg("%s", err.text);
}

// One database with the small agency, for all cases that only look.
static PGconn *small(void)
{
    static PGconn *pg;
    const struct charle_seed_options options = {.today = TODAY};

    if (!pg) {
        pg = new_database("small");
        seed(pg, &options);
    }
    return pg;
}

static void every_table_has_rows(void **state)
{
    (void)state;
    assert_int_equal(charleos_schema_tables.table_count, 47);
    for (size_t i = 0; i < charleos_schema_tables.table_count; i++) {
        const struct charle_table *table = charleos_schema_tables.tables[i];
        char sql[200];

        snprintf(sql, sizeof sql, "select count(*) > 0 from \"%.*s\"", CHARLE_FMT(table->name));
        if (strcmp(ask(small(), sql), "t") != 0)
            fail_msg("table %.*s is empty", CHARLE_FMT(table->name));
    }
    assert_string_equal(ask(small(), "select count(*) from task"), "400");
    assert_string_equal(ask(small(), "select count(*) from client"), "40");
    assert_string_equal(ask(small(), "select count(*) from \"user\""), "30");
}

static void known_people_can_be_found(void **state)
{
    size_t count;
    const struct charle_seed_person *people = charle_seed_people(&count);

    (void)state;
    assert_true(count >= 6);
    for (size_t i = 0; i < count; i++) {
        char sql[400], wanted[300];

        assert_int_equal(strlen(people[i].id), 26);
        snprintf(wanted, sizeof wanted, "%s %s active", people[i].name, people[i].email);
        snprintf(sql, sizeof sql, "select name || ' ' || email || ' ' || status from \"%s\" where id = '%s'", people[i].principal, people[i].id);
        assert_string_equal(ask(small(), sql), wanted);
    }
    assert_string_equal(ask(small(), "select access_level from \"user\" where email = 'ada@charleos.test'"), "admin");
    assert_string_equal(ask(small(), "select work_type from \"user\" where email = 'dev@charleos.test'"), "development");
    assert_string_equal(ask(small(), "select slug from client c join client_user u on u.client_id = c.id where u.email = 'pat@northwind.test'"), "northwind-traders");
    assert_string_equal(ask(small(), "select count(*) > 5 from client where csm_id = (select id from \"user\" where email = 'cas@charleos.test')"), "t");
}

// Each counts rows that contradict others; all must be 0.
static const char *const contradictions[] = {
    // time and requirements
    "task_requirement r where actual_minutes <> coalesce((select sum(minutes) from time_entry e where e.task_requirement_id = r.id), 0)",
    "task_requirement where billable_minutes <> case when actual_minutes = 0 then 0 else least(quoted_max_minutes, greatest(quoted_minutes, actual_minutes)) end",
    "task_requirement where actual_minutes > 0 and actual_minutes + banked_minutes - overage_minutes <> billable_minutes",
    "task_requirement r join tshirt_size s on s.size = r.size where quoted_minutes <> avg_minutes or quoted_max_minutes <> max_minutes",
    "help_desk_ticket t where actual_minutes <> coalesce((select sum(minutes) from time_entry e where e.help_desk_ticket_id = t.id), 0)",
    "project_task t where logged_minutes <> coalesce((select sum(minutes) from time_entry e where e.project_task_id = t.id), 0)",
    "project_phase p where logged_minutes <> coalesce((select sum(logged_minutes) from project_task t where t.phase_id = p.id), 0)",
    "time_entry e join subtask s on s.id = e.subtask_id where e.task_id <> s.task_id or e.task_requirement_id <> s.task_requirement_id",
    "time_entry e join task t on t.id = e.task_id where t.client_id <> e.client_id",
    "time_entry where date > '2026-11-22'",
    "(select 1 from time_entry group by user_id, date having sum(minutes) > 390) x",
    "time_entry e join bank_holiday h on h.date = e.date",
    "time_entry e join leave_request l on l.user_id = e.user_id and l.status = 'approved' and l.day_type = 'full_day' and e.date between l.start_date and l.end_date",
    // months
    "client_period p where logged_minutes <> coalesce((select sum(minutes) from time_entry e where e.client_id = p.client_id and to_char(e.date, 'YYYY-MM') = p.month), 0)",
    "client_period p where remaining_minutes <> allocated_minutes - billable_minutes + coalesce((select sum(minutes) from period_adjustment a where a.client_period_id = p.id), 0)",
    "client_period p where rollover_in_minutes <> coalesce((select sum(minutes) from period_adjustment a where a.client_period_id = p.id and kind = 'rollover_in'), 0)",
    "(select p.client_id from client_period p group by 1 having sum(billable_minutes) <>"
    " coalesce((select sum(minutes) from time_entry e where e.client_id = p.client_id and help_desk_ticket_id is not null and exists (select 1 from client_period q where q.client_id = e.client_id and q.month = to_char(e.date, 'YYYY-MM'))), 0)"
    " + coalesce((select sum(r.billable_minutes) from task_requirement r join task t on t.id = r.task_id where t.client_id = p.client_id), 0)) x",
    "time_entry e join client_period p on p.id = e.locked_by_period_id where p.status <> 'closed' or p.client_id <> e.client_id or p.month <> to_char(e.date, 'YYYY-MM')",
    "time_entry e join client_period p on p.client_id = e.client_id and p.month = to_char(e.date, 'YYYY-MM') where p.status = 'closed' and e.locked_by_period_id is null",
    // quotes, tasks, steps
    "quote where (status = 'approved') <> (task_id is not null)",
    "quote q join task t on t.id = q.task_id where t.quote_id <> q.id or t.client_id <> q.client_id",
    "quote q where status in ('approved', 'awaiting_client_approval', 'awaiting_csm_review') and exists (select 1 from quote_requirement r where r.quote_id = q.id and r.status <> 'complete')",
    "quote_requirement r join quote q on q.id = r.quote_id where q.origin = 'client_request' and r.type not in ('design', 'development')",
    "task t where status = 'complete' and exists (select 1 from subtask s where s.task_id = t.id and s.status <> 'complete')",
    "task t where status not in ('complete', 'cancelled') and not exists (select 1 from subtask s where s.task_id = t.id and s.status <> 'complete')",
    "task where (status = 'complete') <> (completed_at is not null) or (status = 'cancelled') <> (cancelled_at is not null)",
    "subtask where status in ('scheduled', 'in_progress') and (assignee_id is null or start_date is null)",
    "subtask where status = 'in_progress' and started_at is null",
    "subtask s where source_review_id is not null and type not in ('client_design_feedback', 'internal_qa_fixes', 'external_qa_fixes')",
    "subtask s where type in ('client_design_feedback', 'internal_qa_fixes', 'external_qa_fixes') and source_review_id is null",
    "comment c join task t on t.id = c.subject_id where c.client_id <> t.client_id",
    "comment c join client_user u on u.id = c.author_client_user_id where u.client_id <> c.client_id",
    // the calendar
    "(select 1 from schedule_allocation group by user_id, date having sum(minutes) > 390) x",
    "schedule_allocation a join bank_holiday h on h.date = a.date",
    "schedule_item i join subtask s on s.id = i.subtask_id where s.status not in ('scheduled', 'in_progress') or s.assignee_id <> i.user_id",
    // leave
    "leave_balance b where used_half_days <> coalesce((select sum(half_days) from leave_request l where l.user_id = b.user_id and type = 'annual' and status = 'approved' and extract(year from start_date) = b.year), 0)",
    "leave_request a join leave_request b on a.user_id = b.user_id and a.id < b.id and a.status = 'approved' and b.status = 'approved' and a.start_date <= b.end_date and b.start_date <= a.end_date",
    // nothing from the future
    "task where greatest(created_at, updated_at, completed_at, cancelled_at) > '2026-11-23'",
    "activity_log where at > '2026-11-23'",
    "notification where created_at > '2026-11-23' or read_at > '2026-11-23'",
};

static void must_agree(PGconn *pg)
{
    for (size_t i = 0; i < sizeof contradictions / sizeof *contradictions; i++) {
        char sql[1200];

        snprintf(sql, sizeof sql, "select count(*) from %s", contradictions[i]);
        if (strcmp(ask(pg, sql), "0") != 0)
            fail_msg("%s rows contradict: %s", ask(pg, sql), contradictions[i]);
    }
}

static void figures_agree(void **state)
{
    (void)state;
    must_agree(small());
}

static void the_agency_is_at_work(void **state)
{
    (void)state;
    // Every state that people look at is there.
    assert_string_equal(ask(small(), "select count(distinct status) from task"), "9");
    assert_string_equal(ask(small(), "select count(distinct status) from quote"), "6");
    assert_string_equal(ask(small(), "select count(distinct status) >= 6 from subtask"), "t");
    assert_string_equal(ask(small(), "select count(distinct status) >= 5 from help_desk_ticket"), "t");
    assert_string_equal(ask(small(), "select count(distinct month) from client_period"), "13");
    assert_string_equal(ask(small(), "select count(*) > 0 from client_period where remaining_minutes < 0"), "t");
}

static void write_digest(PGconn *pg, struct charle_buf *buf)
{
    for (size_t i = 0; i < charleos_schema_tables.table_count; i++) {
        const struct charle_table *table = charleos_schema_tables.tables[i];
        char sql[200];

        snprintf(sql, sizeof sql, "select md5(string_agg(t::text, ',' order by t::text)) from \"%.*s\" t", CHARLE_FMT(table->name));
        charle_buf_printf(buf, "%.*s %s\n", CHARLE_FMT(table->name), ask(pg, sql));
    }
}

static void the_same_seed_gives_the_same_rows(void **state)
{
    const struct charle_seed_options same = {.seed = 1, .today = TODAY}, other = {.seed = 2, .today = TODAY};
    struct charle_buf digests[3] = {0};
    PGconn *again = new_database("again"), *else_ = new_database("other");

    (void)state;
    seed(again, &same);
    seed(else_, &other);
    write_digest(small(), &digests[0]);
    write_digest(again, &digests[1]);
    write_digest(else_, &digests[2]);
    assert_string_equal(charle_buf_text(&digests[0]), charle_buf_text(&digests[1]));
    assert_string_not_equal(charle_buf_text(&digests[0]), charle_buf_text(&digests[2]));
    for (int i = 0; i < 3; i++)
        charle_buf_deinit(&digests[i]);
    PQfinish(again);
    PQfinish(else_);
}

static const char catalog[] = "select md5(string_agg(line, ' ' order by line)) from ("
                              " select indexdef as line from pg_indexes where tablename = 'task'"
                              " union all select conname || pg_get_constraintdef(oid) || convalidated from pg_constraint"
                              " where conrelid = 'task'::regclass union all select tgname || ' ' || tgenabled::text from pg_trigger"
                              " where tgrelid = 'task'::regclass and not tgisinternal) x";

static void masses_of_tasks_go_behind_the_agency(void **state)
{
    const struct charle_seed_options options = {.today = TODAY, .rows = 60000};
    PGconn *pg = new_database("mass");
    const char *before = ask(pg, catalog);
    struct charle_seed_result result = {0};
    struct charle_error err = {0};

    (void)state;
    assert_int_equal(charle_seed_run(pg, &options, NULL, NULL, &result, &err), CHARLE_OK);
    assert_int_equal(result.task_rows, 60000);
    assert_string_equal(ask(pg, "select count(*) || ' ' || count(distinct display_id) || ' ' || max(display_id) from task"), "60000 60000 60000");
    assert_string_equal(ask(pg, catalog), before); // triggers, indexes and constraints are back
    assert_string_equal(ask(pg, "insert into task (id, title, client_id) select 'x', 'y', id from client limit 1 returning display_id"), "60001");
    assert_string_equal(ask(pg, "select avg(octet_length(t::text)) between 250 and 450 from task t"), "t");
    // From then on changes are stamped again.
    assert_string_equal(ask(pg, "with moved as (update task set priority = 6 - priority where id = 'x' returning id) select count(*) from moved"), "1");
    assert_string_equal(ask(pg, "select count(*) > 0 from charle.change where key = 'x'"), "t");
    PQfinish(pg);
}

static void a_larger_agency_holds_too(void **state)
{
    const struct charle_seed_options options = {.seed = 7, .today = {20521}, .users = 60, .clients = 90, .tasks = 1500}; // 2026-03-09
    PGconn *pg = new_database("large");

    (void)state;
    seed(pg, &options);
    assert_string_equal(ask(pg, "select count(*) from task"), "1500");
    must_agree(pg);
    PQfinish(pg);
}

static void must_refuse(PGconn *pg, const struct charle_seed_options *options, enum charle_err code, const char *words)
{
    struct charle_error err = {0};

    assert_int_equal(charle_seed_run(pg, options, NULL, NULL, NULL, &err), code);
    if (!strstr(err.text, words))
        fail_msg("\"%s\" does not say \"%s\"", err.text, words);
}

static void a_used_database_is_left_alone(void **state)
{
    const struct charle_seed_options options = {.today = TODAY};

    (void)state;
    must_refuse(small(), &options, CHARLE_FAILED_PRECONDITION, "has people in it already");
}

static void sizes_have_bounds(void **state)
{
    (void)state;
    must_refuse(small(), &(struct charle_seed_options){.users = 5}, CHARLE_INVALID_ARGUMENT, "16 to 500 users, not 5");
    must_refuse(small(), &(struct charle_seed_options){.tasks = 1000000}, CHARLE_INVALID_ARGUMENT, "tasks with a history");
    must_refuse(small(), &(struct charle_seed_options){.rows = 100}, CHARLE_INVALID_ARGUMENT, "not fewer than");
    must_refuse(small(), &(struct charle_seed_options){.today = {-5}}, CHARLE_INVALID_ARGUMENT, "as today");
}

static void a_failure_leaves_nothing_behind(void **state)
{
    const struct charle_seed_options options = {.today = TODAY, .rows = 5000};
    PGconn *pg = new_database("broken");
    const char *before;

    (void)state;
    must(pg, "alter table activity_log add constraint never check (verb <> 'task.created')"); // the last table to be written
    must_refuse(pg, &options, CHARLE_INTERNAL, "seeding table activity_log: new row for relation \"activity_log\" violates check constraint \"never\" (23514)");
    assert_string_equal(ask(pg, "select count(*) from \"user\""), "0");
    must(pg, "alter table activity_log drop constraint never");
    must(pg, "alter table task add constraint never check (display_id < 3000)"); // within the mass
    before = ask(pg, catalog);
    must_refuse(pg, &options, CHARLE_INTERNAL, "violates check constraint \"never\"");
    assert_string_equal(ask(pg, "select count(*) from task"), "400");
    assert_string_equal(ask(pg, catalog), before);
    PQfinish(pg);
}

static void an_unmigrated_database_is_said_to_be_one(void **state)
{
    const struct charle_seed_options options = {.today = TODAY};
    char url[CH_PG_CLUSTER_URL_SIZE];
    PGconn *pg;

    (void)state;
    assert_true(ch_pg_cluster_database(ch_pg_cluster_shared(), "bare", url));
    pg = PQconnectdb(url);
    must_refuse(pg, &options, CHARLE_INTERNAL, "was the database migrated?");
    PQfinish(pg);
}

static void bank_holidays_are_those_of_the_calendar(void **state)
{
    // As published by GOV.UK for England and Wales.
    static const int published[][8][2] = {
        {{1, 3}, {4, 15}, {4, 18}, {5, 2}, {5, 30}, {8, 29}, {12, 27}, {12, 26}}, // 2022; without the jubilee and the funeral
        {{1, 1}, {4, 18}, {4, 21}, {5, 5}, {5, 26}, {8, 25}, {12, 25}, {12, 26}}, // 2025
        {{1, 1}, {4, 3}, {4, 6}, {5, 4}, {5, 25}, {8, 31}, {12, 25}, {12, 28}},   // 2026
        {{1, 1}, {3, 26}, {3, 29}, {5, 3}, {5, 31}, {8, 30}, {12, 27}, {12, 28}}, // 2027
    };
    static const int years[] = {2022, 2025, 2026, 2027};

    (void)state;
    for (int y = 0; y < 4; y++) {
        struct seed_holiday holidays[10];

        assert_int_equal(seed_holidays_of(years[y], holidays), 8);
        for (int i = 0; i < 8; i++)
            if (holidays[i].day != charle_date_of(years[y], published[y][i][0], published[y][i][1]).days)
                fail_msg("%s of %d is wrong", holidays[i].name, years[y]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_table_has_rows),
        cmocka_unit_test(known_people_can_be_found),
        cmocka_unit_test(figures_agree),
        cmocka_unit_test(the_agency_is_at_work),
        cmocka_unit_test(the_same_seed_gives_the_same_rows),
        cmocka_unit_test(masses_of_tasks_go_behind_the_agency),
        cmocka_unit_test(a_larger_agency_holds_too),
        cmocka_unit_test(a_used_database_is_left_alone),
        cmocka_unit_test(sizes_have_bounds),
        cmocka_unit_test(a_failure_leaves_nothing_behind),
        cmocka_unit_test(an_unmigrated_database_is_said_to_be_one),
        cmocka_unit_test(bank_holidays_are_those_of_the_calendar),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);

    PQfinish(small());
    return failed;
}
