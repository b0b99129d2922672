// TimeService: who may log what for which day, and the figures that follow.
#include "small_agency.h"

#include <stdio.h>

#include "charleos/time.handlers.charle.h"
#include "services/agency.h"
#include "services/ledger.h"

#define TEXT(text) {.value = CHARLE_STR_INIT(text), .has = true}

static struct charleos_log_time_request on_step(int minutes)
{
    return (struct charleos_log_time_request){.date = agency_day(11, 17), .minutes = minutes,
                                              .activity_type = CHARLEOS_ACTIVITY_TYPE_TASK, .subtask_id = TEXT("s1")};
}

static enum charle_err log_as(struct charle_db *db, const char *who, const struct charleos_log_time_request *request,
                              struct charleos_log_time_reply *reply, struct charle_error *err)
{
    struct agency_call call;
    struct charle_context *context = agency_call(&call, db, who, &charleos_time_service_log_time_method);
    enum charle_err rc;

    ch_call_guard_off(&call.guard);
    rc = charle_begin(db, NULL, err);
    ch_call_guard_on(&call.guard, &charleos_time_service_log_time_method);
    *reply = (struct charleos_log_time_reply){0};
    if (!rc)
        rc = charleos_time_service_log_time(context, request, reply, err);
    ch_call_guard_off(&call.guard);
    if (rc)
        assert_ok(charle_rollback(db, NULL), NULL);
    else
        rc = charle_commit(db, err);
    agency_end(&call);
    reply->entry = NULL; // its memory is gone
    return rc;
}

static void must_log(struct charle_db *db, const char *who, struct charleos_log_time_request request)
{
    struct charleos_log_time_reply reply;
    struct charle_error err = {0};

    assert_ok(log_as(db, who, &request, &reply, &err), &err);
}

static void must_refuse(struct charle_db *db, const char *who, struct charleos_log_time_request request, enum charle_err code, const char *words)
{
    struct charleos_log_time_reply reply;
    struct charle_error err = {0};

    assert_fails(log_as(db, who, &request, &reply, &err), code, &err, words);
    assert_string_equal(agency_ask(db, "select count(*) from time_entry"), "0");
}

static void figures_follow_an_entry(struct charle_db *db)
{
    agency_make(db);
    must_log(db, "dee", on_step(180));
    assert_string_equal(agency_ask(db, "select task_id || task_requirement_id || client_id || work_type || source from time_entry"), "tr1northdesignwizard");
    assert_string_equal(agency_ask(db, "select case when is_billable and not is_internal then 'yes' end from time_entry"), "yes");
    // 180 of a medium requirement bill its average of 270 and bank 90.
    assert_string_equal(agency_ask(db, "select actual_minutes || ' ' || billable_minutes || ' ' || banked_minutes || ' ' || overage_minutes || ' ' || status"
                                       " from task_requirement where id = 'r1'"), "180 270 90 0 in_progress");
    assert_string_equal(agency_ask(db, "select logged_minutes || ' ' || billable_minutes || ' ' || remaining_minutes from client_period where id = 'november'"),
                        "180 270 2790");
    assert_string_equal(agency_ask(db, "select verb || ' ' || actor_user_id || ' ' || client_id from activity_log"), "time.logged dee north");
}

static void a_requirement_bills_no_more_than_its_maximum(struct charle_db *db)
{
    agency_make(db);
    must_log(db, "dee", on_step(300));
    assert_string_equal(agency_ask(db, "select billable_minutes from client_period where id = 'november'"), "300");
    must_log(db, "dee", on_step(100));
    assert_string_equal(agency_ask(db, "select actual_minutes || ' ' || billable_minutes || ' ' || overage_minutes from task_requirement where id = 'r1'"),
                        "400 360 40");
    assert_string_equal(agency_ask(db, "select logged_minutes || ' ' || billable_minutes || ' ' || remaining_minutes from client_period where id = 'november'"),
                        "400 360 2700");
}

static void deleting_takes_the_figures_back(struct charle_db *db)
{
    struct agency_call call;
    struct charleos_delete_time_reply reply = {0};
    struct charleos_delete_time_request request;
    static char id[64];

    agency_make(db);
    must_log(db, "dee", on_step(300));
    must_log(db, "dee", on_step(100));
    snprintf(id, sizeof id, "%s", agency_ask(db, "select id from time_entry where minutes = 100"));
    request.id = charle_str(id);
    // Another person's entry is not to be touched; a manager may.
    assert_fails(charleos_time_service_delete_time(agency_call(&call, db, "dev", &charleos_time_service_delete_time_method), &request, &reply, &call.err), CHARLE_PERMISSION_DENIED, &call.err, "only its owner");
    agency_end(&call);
    assert_ok(charleos_time_service_delete_time(agency_call(&call, db, "ada", &charleos_time_service_delete_time_method), &request, &reply, &call.err), &call.err);
    agency_end(&call);
    assert_int_equal(reply.day_minutes.value, 300);
    assert_string_equal(agency_ask(db, "select actual_minutes || ' ' || billable_minutes || ' ' || overage_minutes from task_requirement where id = 'r1'"), "300 300 0");
    assert_string_equal(agency_ask(db, "select logged_minutes || ' ' || billable_minutes || ' ' || remaining_minutes from client_period where id = 'november'"),
                        "300 300 2760");
    // Once more is fine: it is gone.
    reply = (struct charleos_delete_time_reply){0};
    assert_ok(charleos_time_service_delete_time(agency_call(&call, db, "dee", &charleos_time_service_delete_time_method), &request, &reply, &call.err), &call.err);
    agency_end(&call);
    assert_false(reply.day_minutes.has);
}

static void tickets_bill_what_they_took(struct charle_db *db)
{
    struct charleos_log_time_request request = {.date = agency_day(11, 18), .minutes = 25, .activity_type = CHARLEOS_ACTIVITY_TYPE_HELP_DESK,
                                                .help_desk_ticket_id = TEXT("h")};

    agency_make(db);
    must_log(db, "dev", request);
    assert_string_equal(agency_ask(db, "select actual_minutes from help_desk_ticket"), "25");
    assert_string_equal(agency_ask(db, "select billable_minutes || ' ' || help_desk_minutes from client_period where id = 'november'"), "25 25");
}

static void project_time_draws_on_its_phase(struct charle_db *db)
{
    struct charleos_log_time_request request = {.date = agency_day(11, 18), .minutes = 45, .activity_type = CHARLEOS_ACTIVITY_TYPE_TASK,
                                                .project_task_id = TEXT("pt")};

    agency_make(db);
    must_log(db, "dev", request);
    assert_string_equal(agency_ask(db, "select t.logged_minutes || ' ' || p.logged_minutes from project_task t join project_phase p on p.id = t.phase_id"), "45 45");
    assert_string_equal(agency_ask(db, "select client_id from time_entry"), "south");
}

static void calls_and_meetings_are_not_billable(struct charle_db *db)
{
    struct charleos_log_time_request call = {.date = agency_day(11, 18), .minutes = 30, .activity_type = CHARLEOS_ACTIVITY_TYPE_CLIENT_CALL, .client_id = TEXT("north")};
    struct charleos_log_time_request meeting = {.date = agency_day(11, 18), .minutes = 30, .activity_type = CHARLEOS_ACTIVITY_TYPE_INTERNAL_MEETING,
                                                .is_internal = {.value = true, .has = true}};
    struct charleos_log_time_request task = {.date = agency_day(11, 18), .minutes = 30, .activity_type = CHARLEOS_ACTIVITY_TYPE_TASK, .client_id = TEXT("north")};

    agency_make(db);
    must_log(db, "pia", call);
    must_log(db, "pia", meeting);
    must_log(db, "pia", task); // a task without a link to one
    assert_string_equal(agency_ask(db, "select count(*) from time_entry where is_billable"), "0");
    assert_string_equal(agency_ask(db, "select count(*) from time_entry where is_internal and client_id is null"), "1");
}

static void wrong_requests_are_refused_with_reasons(struct charle_db *db)
{
    struct charleos_log_time_request request = on_step(0);

    agency_make(db);
    must_refuse(db, "dee", request, CHARLE_INVALID_ARGUMENT, "1 to 720");
    request.minutes = 721;
    must_refuse(db, "dee", request, CHARLE_INVALID_ARGUMENT, "1 to 720");
    request = on_step(30);
    request.date = agency_day(11, 19);
    must_refuse(db, "dee", request, CHARLE_INVALID_ARGUMENT, "2026-11-19 is in the future");
    request = on_step(30);
    request.client_id = (struct charle_opt_text)TEXT("south");
    must_refuse(db, "dee", request, CHARLE_INVALID_ARGUMENT, "another client");
    request = on_step(30);
    request.task_id = (struct charle_opt_text)TEXT("other");
    must_refuse(db, "dee", request, CHARLE_INVALID_ARGUMENT, "another task");
    request = on_step(30);
    request.help_desk_ticket_id = (struct charle_opt_text)TEXT("h");
    must_refuse(db, "dee", request, CHARLE_INVALID_ARGUMENT, "give one of them");
    request = on_step(30);
    request.activity_type = CHARLEOS_ACTIVITY_TYPE_HELP_DESK;
    must_refuse(db, "dee", request, CHARLE_INVALID_ARGUMENT, "needs its ticket");
    request = on_step(30);
    request.is_internal.has = request.is_internal.value = true;
    must_refuse(db, "dee", request, CHARLE_INVALID_ARGUMENT, "internal time");
    request = on_step(30);
    request.subtask_id.has = false;
    must_refuse(db, "dee", request, CHARLE_INVALID_ARGUMENT, "for which client");
    request = on_step(30);
    request.subtask_id = (struct charle_opt_text)TEXT("nothing");
    must_refuse(db, "dee", request, CHARLE_NOT_FOUND, "no subtask nothing");
    request = on_step(30);
    request.user_id = (struct charle_opt_text)TEXT("dev");
    must_refuse(db, "dee", request, CHARLE_PERMISSION_DENIED, "only managers");
    must_refuse(db, "pat", on_step(30), CHARLE_PERMISSION_DENIED, "team members");
}

static void closed_months_stay_closed(struct charle_db *db)
{
    struct charleos_log_time_request request = on_step(30);

    agency_make(db);
    request.date = agency_day(10, 30);
    must_refuse(db, "dee", request, CHARLE_FAILED_PRECONDITION, "the month 2026-10 of Northwind is closed");
    request.date = agency_day(9, 30); // no month was ever opened
    must_log(db, "dee", request);
}

static void a_day_holds_1440_minutes(struct charle_db *db)
{
    struct charleos_log_time_reply reply;
    struct charleos_log_time_request request = on_step(720);
    struct charle_error err = {0};

    agency_make(db);
    must_log(db, "dee", request);
    must_log(db, "dee", request);
    request.minutes = 1;
    assert_fails(log_as(db, "dee", &request, &reply, &err), CHARLE_FAILED_PRECONDITION, &err, "has 1440 minutes already");
    request.date = agency_day(11, 16);
    assert_ok(log_as(db, "dee", &request, &reply, &err), &err);
    assert_int_equal(reply.day_minutes, 1);
}

static void managers_log_for_others(struct charle_db *db)
{
    struct charleos_log_time_request request = on_step(30);

    agency_make(db);
    request.user_id = (struct charle_opt_text)TEXT("dev");
    must_log(db, "ada", request);
    assert_string_equal(agency_ask(db, "select user_id || work_type from time_entry"), "devdevelopment");
}

static void the_agency_lives_in_london(struct charle_db *db)
{
    (void)db;
    // 23:30 UTC is the next day in summer, not in winter; the changes are on 29 March and 25 October 2026.
    assert_int_equal(ch_agency_day((struct charle_ts){INT64_C(1782862200) * 1000000}).days, agency_day(7, 1).days);
    assert_int_equal(ch_agency_day((struct charle_ts){INT64_C(1795044600) * 1000000}).days, agency_day(11, 18).days);
    assert_int_equal(ch_agency_day((struct charle_ts){INT64_C(1774740600) * 1000000}).days, agency_day(3, 28).days);
    assert_int_equal(ch_agency_day((struct charle_ts){INT64_C(1774827000) * 1000000}).days, agency_day(3, 30).days);
    assert_int_equal(ch_agency_day((struct charle_ts){INT64_C(1792884600) * 1000000}).days, agency_day(10, 25).days);
    assert_int_equal(ch_agency_day((struct charle_ts){INT64_C(1792971000) * 1000000}).days, agency_day(10, 25).days);
}

static void billing_follows_the_worked_examples(struct charle_db *db)
{
    (void)db;
    assert_int_equal(ch_ledger_billable(270, 360, 0), 0);
    assert_int_equal(ch_ledger_billable(270, 360, 180), 270);
    assert_int_equal(ch_ledger_billable(270, 360, 300), 300);
    assert_int_equal(ch_ledger_billable(270, 360, 400), 360);
    assert_int_equal(ch_ledger_billable(150, 200, 100), 150);
    assert_int_equal(ch_ledger_billable(150, 200, 175), 175);
    assert_int_equal(ch_ledger_billable(150, 200, 250), 200);
}

int main(void)
{
    static const struct suite_item items[] = {
        SUITE_ITEM(figures_follow_an_entry),
        SUITE_ITEM(a_requirement_bills_no_more_than_its_maximum),
        SUITE_ITEM(deleting_takes_the_figures_back),
        SUITE_ITEM(tickets_bill_what_they_took),
        SUITE_ITEM(project_time_draws_on_its_phase),
        SUITE_ITEM(calls_and_meetings_are_not_billable),
        SUITE_ITEM(wrong_requests_are_refused_with_reasons),
        SUITE_ITEM(closed_months_stay_closed),
        SUITE_ITEM(a_day_holds_1440_minutes),
        SUITE_ITEM(managers_log_for_others),
        SUITE_ITEM(the_agency_lives_in_london),
        SUITE_ITEM(billing_follows_the_worked_examples),
    };
    return suite_run("agency time", items, sizeof items / sizeof *items);
}
