// TaskFlow and SubtaskFlow: states, who may move them, and how the task follows.
#include "small_agency.h"

#include <stdio.h>

#include "base/buf.h"
#include "charleos/work.handlers.charle.h"

#define TEXT(text) {.value = CHARLE_STR_INIT(text), .has = true}

static enum charle_err start_as(struct charle_db *db, const char *who, const char *subtask, struct charle_error *err)
{
    struct agency_call call;
    struct charleos_start_subtask_request request = {.subtask_id = charle_str(subtask)};
    struct charleos_start_subtask_reply reply = {0};
    enum charle_err rc = charleos_subtask_flow_start(agency_call(&call, db, who, &charleos_subtask_flow_start_method), &request, &reply, err);

    agency_end(&call);
    return rc;
}

static enum charle_err complete_as(struct charle_db *db, const char *who, const struct charleos_complete_subtask_request *request,
                                   bool is_replay, struct charle_error *err)
{
    struct agency_call call;
    struct charleos_complete_subtask_reply reply = {0};
    struct charle_context *context = agency_call(&call, db, who, &charleos_subtask_flow_complete_method);
    enum charle_err rc;

    context->is_replay = is_replay;
    rc = charleos_subtask_flow_complete(context, request, &reply, err);
    if (is_replay)
        assert_true(context->merge_note.len > 0);
    agency_end(&call);
    return rc;
}

static const char *state(struct charle_db *db, const char *subtask)
{
    static char answer[100];
    char sql[200];

    snprintf(sql, sizeof sql, "select s.status || ' ' || t.status from subtask s join task t on t.id = s.task_id where s.id = '%s'", subtask);
    snprintf(answer, sizeof answer, "%s", agency_ask(db, sql));
    return answer;
}

static void starting_moves_the_task(struct charle_db *db)
{
    struct charle_error err = {0};

    agency_make(db);
    assert_ok(start_as(db, "dee", "s1", &err), &err);
    assert_string_equal(state(db, "s1"), "in_progress design");
    assert_string_equal(agency_ask(db, "select case when started_at is not null then 'yes' end from subtask where id = 's1'"), "yes");
    assert_ok(start_as(db, "dee", "s1", &err), &err); // again is fine
    assert_string_equal(agency_ask(db, "select count(*) from activity_log"), "1");
    assert_fails(start_as(db, "dev", "s1", &err), CHARLE_PERMISSION_DENIED, &err, "someone else's work");
    assert_fails(start_as(db, "ada", "s3", &err), CHARLE_FAILED_PRECONDITION, &err, "unscheduled; only scheduled work");
    assert_fails(start_as(db, "dev", "s9", &err), CHARLE_NOT_FOUND, &err, "no subtask s9");
}

static void a_design_ends_with_its_handoff_and_a_review(struct charle_db *db)
{
    struct charleos_complete_subtask_request request = {.subtask_id = CHARLE_STR_INIT("s1"), .minutes = {.value = 240, .has = true}};
    struct charle_error err = {0};

    agency_make(db);
    assert_ok(start_as(db, "dee", "s1", &err), &err);
    assert_fails(complete_as(db, "dee", &request, false, &err), CHARLE_FAILED_PRECONDITION, &err, "give handoff_url");
    request.handoff_url = (struct charle_opt_text)TEXT("javascript:alert(1)");
    assert_fails(complete_as(db, "dee", &request, false, &err), CHARLE_INVALID_ARGUMENT, &err, "https://");
    request.handoff_url = (struct charle_opt_text)TEXT("https://design.example.org/7");
    assert_ok(complete_as(db, "dee", &request, false, &err), &err);
    assert_string_equal(state(db, "s1"), "awaiting_review design");
    assert_string_equal(agency_ask(db, "select handoff_url from subtask where id = 's1'"), "https://design.example.org/7");
    assert_string_equal(agency_ask(db, "select minutes || source || subtask_id from time_entry"), "240completions1");
    assert_string_equal(agency_ask(db, "select billable_minutes from task_requirement where id = 'r1'"), "270");
    assert_ok(complete_as(db, "dee", &request, false, &err), &err); // again logs nothing
    assert_string_equal(agency_ask(db, "select count(*) from time_entry"), "1");
}

static void development_is_complete_at_once(struct charle_db *db)
{
    struct charleos_complete_subtask_request request = {.subtask_id = CHARLE_STR_INIT("s2")};
    struct charle_error err = {0};

    agency_make(db);
    assert_ok(complete_as(db, "dev", &request, false, &err), &err); // without having been started
    assert_string_equal(state(db, "s2"), "complete design");        // the design before it is still open
    assert_string_equal(agency_ask(db, "select case when started_at is not null and completed_at is not null then 'yes' end from subtask where id = 's2'"), "yes");
    assert_string_equal(agency_ask(db, "select count(*) from time_entry"), "0");
}

static void the_last_step_completes_the_task(struct charle_db *db)
{
    struct charleos_complete_subtask_request request = {.subtask_id = CHARLE_STR_INIT("s2")};
    struct charle_error err = {0};

    agency_make(db);
    must_exec(db, "update subtask set status = 'cancelled' where id in ('s1', 's3')");
    assert_ok(complete_as(db, "dev", &request, false, &err), &err);
    assert_string_equal(state(db, "s2"), "complete complete");
    assert_string_equal(agency_ask(db, "select case when completed_at is not null then 'yes' end from task where id = 't'"), "yes");
}

static void the_last_step_freezes_its_requirement(struct charle_db *db)
{
    struct charleos_complete_subtask_request request = {.subtask_id = CHARLE_STR_INIT("s2"), .minutes = {.value = 60, .has = true}};
    struct charle_error err = {0};

    agency_make(db);
    assert_ok(complete_as(db, "dev", &request, false, &err), &err);
    assert_string_equal(agency_ask(db, "select status from task_requirement where id = 'r2'"), "in_progress"); // deployment is left
    must_exec(db, "update subtask set status = 'cancelled' where id = 's3'");
    must_exec(db, "update subtask set status = 'scheduled' where id = 's2'");
    assert_ok(complete_as(db, "dev", &request, false, &err), &err);
    assert_string_equal(agency_ask(db, "select status from task_requirement where id = 'r2'"), "complete");
    // Sold as 90 to 120 minutes, done in 120.
    assert_string_equal(agency_ask(db, "select task_requirement_id || ' ' || actual_minutes || ' ' || billable_minutes || ' ' || efficiency_bps || ' ' || client_period_id"
                                       " from requirement_efficiency"), "r2 120 120 7500 november");
    assert_string_equal(agency_ask(db, "select banked_minutes || ' ' || overage_minutes from client_period where id = 'november'"), "0 0");
}

static void reassigned_work_keeps_the_time_only(struct charle_db *db)
{
    struct charleos_complete_subtask_request request = {.subtask_id = CHARLE_STR_INIT("s2"), .minutes = {.value = 60, .has = true}};
    struct charle_error err = {0};

    agency_make(db);
    must_exec(db, "update subtask set assignee_id = 'dee' where id = 's2'"); // while dev was on a train
    assert_ok(complete_as(db, "dev", &request, true, &err), &err);
    assert_string_equal(state(db, "s2"), "scheduled planned");
    assert_string_equal(agency_ask(db, "select user_id || minutes from time_entry"), "dev60");
    assert_fails(complete_as(db, "dev", &request, false, &err), CHARLE_PERMISSION_DENIED, &err, "someone else's work");
}

static void a_refused_entry_refuses_the_step(struct charle_db *db)
{
    struct charleos_complete_subtask_request request = {.subtask_id = CHARLE_STR_INIT("s2"), .minutes = {.value = 721, .has = true}};
    struct charle_error err = {0};

    agency_make(db);
    assert_fails(complete_as(db, "dev", &request, false, &err), CHARLE_INVALID_ARGUMENT, &err, "1 to 720");
    assert_string_equal(state(db, "s2"), "scheduled planned");
}

static enum charle_err cancel_as(struct charle_db *db, const char *who, int32_t *out_count, struct charle_error *err)
{
    struct agency_call call;
    struct charleos_cancel_task_request request = {.task_id = CHARLE_STR_INIT("t"), .reason = CHARLE_STR_INIT("Said \"later\"")};
    struct charleos_cancel_task_reply reply = {0};
    enum charle_err rc = charleos_task_flow_cancel_task(agency_call(&call, db, who, &charleos_task_flow_cancel_task_method), &request, &reply, err);

    *out_count = reply.cancelled_subtasks;
    agency_end(&call);
    return rc;
}

static void cancelling_and_reopening(struct charle_db *db)
{
    struct agency_call call;
    struct charleos_reopen_task_request request = {.task_id = CHARLE_STR_INIT("t")};
    struct charleos_reopen_task_reply reply = {0};
    struct charle_error err = {0};
    int32_t count;

    agency_make(db);
    must_exec(db, "update subtask set status = 'complete', handoff_url = 'https://x' where id = 's1'");
    assert_ok(cancel_as(db, "pia", &count, &err), &err);
    assert_int_equal(count, 2);
    assert_string_equal(state(db, "s1"), "complete cancelled");
    assert_string_equal(state(db, "s2"), "cancelled cancelled");
    assert_string_equal(agency_ask(db, "select (select count(*) from schedule_item) + (select count(*) from schedule_allocation)"), "0");
    assert_string_equal(agency_ask(db, charle_db_dialect(db) == CHARLE_PG ? "select after ->> 'reason' from activity_log"
                                                                          : "select json_extract(after, '$.reason') from activity_log"),
                        "Said \"later\"");
    assert_ok(cancel_as(db, "pia", &count, &err), &err); // again is fine
    assert_ok(charleos_task_flow_reopen_task(agency_call(&call, db, "pia", &charleos_task_flow_reopen_task_method), &request, &reply, &err), &err);
    assert_int_equal(reply.reopened_subtasks, 2);
    agency_end(&call);
    assert_string_equal(state(db, "s2"), "unscheduled development"); // the design is done
    assert_string_equal(agency_ask(db, "select case when cancelled_at is null then 'yes' end from task where id = 't'"), "yes");
}

static enum charle_err reopen_as(struct charle_db *db, const char *who, const char *task, int32_t *out_count, struct charle_error *err)
{
    struct agency_call call;
    struct charleos_reopen_task_request request = {.task_id = charle_str(task)};
    struct charleos_reopen_task_reply reply = {0};
    enum charle_err rc = charleos_task_flow_reopen_task(agency_call(&call, db, who, &charleos_task_flow_reopen_task_method), &request, &reply, err);

    *out_count = reply.reopened_subtasks;
    agency_end(&call);
    return rc;
}

static void only_cancelled_tasks_are_reopened(struct charle_db *db)
{
    struct charle_error err = {0};
    int32_t count;

    agency_make(db);
    assert_ok(reopen_as(db, "pia", "t", &count, &err), &err); // it is open: nothing to do
    assert_int_equal(count, 0);
    assert_string_equal(agency_ask(db, "select count(*) from activity_log"), "0");
    must_exec(db, "update task set status = 'complete' where id = 't'");
    assert_fails(reopen_as(db, "pia", "t", &count, &err), CHARLE_FAILED_PRECONDITION, &err, "only cancelled tasks can be reopened");
    assert_fails(reopen_as(db, "pia", "nothing", &count, &err), CHARLE_NOT_FOUND, &err, "nothing");
}

// Nothing of it has begun: by the month's plan when there is one.
static void reopened_work_goes_back_to_its_plan(struct charle_db *db)
{
    struct charle_error err = {0};
    int32_t count;

    agency_make(db);
    must_exec(db, "update subtask set status = 'unscheduled'");
    assert_ok(cancel_as(db, "pia", &count, &err), &err);
    assert_ok(reopen_as(db, "pia", "t", &count, &err), &err);
    assert_string_equal(state(db, "s2"), "unscheduled backlog");
    assert_ok(cancel_as(db, "pia", &count, &err), &err);
    must_exec(db, charle_db_dialect(db) == CHARLE_PG
                      ? "insert into roadmap_item (id, client_id, month, task_id, planned_minutes, created_at, updated_at)"
                        " values ('r', 'north', '2026-11', 't', 60, now(), now())"
                      : "insert into roadmap_item (id, client_id, month, task_id, planned_minutes, created_at, updated_at)"
                        " values ('r', 'north', '2026-11', 't', 60, 0, 0)");
    assert_ok(reopen_as(db, "pia", "t", &count, &err), &err);
    assert_string_equal(state(db, "s2"), "unscheduled planned");
}

// Reviews are phases of their own.
static void reviews_are_phases(struct charle_db *db)
{
    struct charle_error err = {0};

    agency_make(db);
    must_exec(db, "update subtask set type = 'internal_qa_review' where id = 's1'");
    must_exec(db, "update subtask set status = 'cancelled' where id <> 's1'");
    assert_ok(start_as(db, "dee", "s1", &err), &err);
    assert_string_equal(state(db, "s1"), "in_progress internal_qa");
    must_exec(db, "update subtask set type = 'external_qa_review', status = 'scheduled' where id = 's1'");
    assert_ok(start_as(db, "dee", "s1", &err), &err);
    assert_string_equal(state(db, "s1"), "in_progress external_qa");
}

static void complete_tasks_are_not_cancelled(struct charle_db *db)
{
    struct charle_error err = {0};
    int32_t count;

    agency_make(db);
    must_exec(db, "update task set status = 'complete' where id = 't'");
    assert_fails(cancel_as(db, "pia", &count, &err), CHARLE_FAILED_PRECONDITION, &err, "task #7 is complete");
}

static void priorities_are_one_to_five(struct charle_db *db)
{
    struct agency_call call;
    struct charleos_set_priority_request request = {.task_id = CHARLE_STR_INIT("t"), .priority = 6};
    struct charleos_set_priority_reply reply = {0};

    agency_make(db);
    assert_fails(charleos_task_flow_set_priority(agency_call(&call, db, "pia", &charleos_task_flow_set_priority_method), &request, &reply, &call.err), CHARLE_INVALID_ARGUMENT, &call.err, "1 (highest) to 5");
    agency_end(&call);
    request.priority = 1;
    assert_ok(charleos_task_flow_set_priority(agency_call(&call, db, "pia", &charleos_task_flow_set_priority_method), &request, &reply, &call.err), &call.err);
    assert_int_equal(reply.task->priority, 1);
    agency_end(&call);
    assert_string_equal(agency_ask(db, "select priority || ' ' || status from task where id = 't'"), "1 planned");
}

// What the call left behind, in words.
static void write_rows(struct charle_db *db, struct charle_buf *buf)
{
    static const char *const questions[] = {
        "select id || ' ' || user_id || ' ' || date || ' ' || minutes || ' ' || task_id || ' ' || task_requirement_id || ' ' || client_id || ' ' || source from time_entry",
        "select min(id) || ' ' || max(id) || ' ' || count(*) from activity_log",
        "select case when offline_queued_at is not null then 'queued' end from activity_log where verb = 'subtask.completed'",
        "select status || ' ' || handoff_url from subtask where id = 's1'",
        "select status || ' ' || priority from task where id = 't'",
        "select actual_minutes || ' ' || billable_minutes || ' ' || banked_minutes || ' ' || status from task_requirement where id = 'r1'",
    };

    for (size_t i = 0; i < sizeof questions / sizeof *questions; i++)
        charle_buf_printf(buf, "%s\n", agency_ask(db, questions[i]));
}

// The same call, with the same seed, on a laptop and again on the server: the same rows with the same ids, though the laptop does
// not see the month that the server moves.
static void laptop_and_server_make_the_same_rows(struct charle_db *db)
{
    static struct charle_buf first; // of the other database
    struct charle_buf rows = {0};
    struct charleos_complete_subtask_request request = {.subtask_id = CHARLE_STR_INIT("s1"), .minutes = {.value = 100, .has = true},
                                                        .handoff_url = TEXT("https://design.example.org/7")};
    struct charleos_complete_subtask_reply reply = {0};
    bool is_laptop = charle_db_dialect(db) == CHARLE_SQLITE;
    struct agency_call call;
    struct charle_context *context;

    if (is_laptop)
        agency_make_replica(db);
    else
        agency_make(db);
    context = agency_call(&call, db, "dee", &charleos_subtask_flow_complete_method);
    charle_context_seed(context, context->now, 77);
    context->is_replica = is_laptop;
    context->is_replay = !is_laptop;
    assert_ok(charleos_subtask_flow_complete(context, &request, &reply, &call.err), &call.err);
    agency_end(&call);
    write_rows(db, &rows);
    if (!first.size) {
        first = rows;
        assert_string_equal(agency_ask(db, "select billable_minutes from client_period where id = 'november'"), "270");
        return;
    }
    assert_string_equal(charle_buf_text(&rows), charle_buf_text(&first));
    charle_buf_deinit(&rows);
    charle_buf_deinit(&first);
}

int main(void)
{
    static const struct suite_item items[] = {
        SUITE_ITEM(starting_moves_the_task),
        SUITE_ITEM(a_design_ends_with_its_handoff_and_a_review),
        SUITE_ITEM(development_is_complete_at_once),
        SUITE_ITEM(the_last_step_completes_the_task),
        SUITE_ITEM(the_last_step_freezes_its_requirement),
        SUITE_ITEM(reassigned_work_keeps_the_time_only),
        SUITE_ITEM(a_refused_entry_refuses_the_step),
        SUITE_ITEM(cancelling_and_reopening),
        SUITE_ITEM(only_cancelled_tasks_are_reopened),
        SUITE_ITEM(reopened_work_goes_back_to_its_plan),
        SUITE_ITEM(reviews_are_phases),
        SUITE_ITEM(complete_tasks_are_not_cancelled),
        SUITE_ITEM(priorities_are_one_to_five),
        SUITE_ITEM(laptop_and_server_make_the_same_rows),
    };
    return suite_run("agency work", items, sizeof items / sizeof *items);
}
