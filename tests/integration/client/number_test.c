// Numbers that people read: a label of the laptop's own while a row waits, the server's everywhere once it has come.
#include "fixture.h"

#include "db/number.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static int64_t create(struct fixture *f, struct charle_client *client, const char *title, struct notes_ticket_patch *reply,
                      const struct charle_client_call_options *options)
{
    struct charle_error err = {0};
    struct charle_client_outcome outcome = {0};
    struct charle_client_call_options o = options ? *options : (struct charle_client_call_options){0};
    const struct notes_ticket_insert request = {.title = charle_str(title)};
    o.outcome = &outcome;
    *reply = (struct notes_ticket_patch){0};
    if (charle_client_call(client, &notes_ticket_service_create_method, &request, &f->arena, reply, &o, &err))
        fail_msg("%s", err.text);
    return outcome.ticket;
}

static void must_read_as(struct charle_client *client, const char *title, const char *label)
{
    char sql[200];
    snprintf(sql, sizeof(sql), "select count(*) from ticket where title = '%s' and charle_number_label('T-', number) = '%s'", title, label);
    if (number(charle_client_db(client), sql) != 1)
        fail_msg("%s is not %s", title, label);
}

// The table is the same on both sides, numbers included.
static void must_be_equal(struct fixture *f, struct charle_client *client)
{
    static const char sql[] = "select count(*) * 1000000 + coalesce(sum(number * length(title) + unicode(id) * number), 0) from ticket";
    assert_int_equal(number(charle_client_db(client), sql), server_number(f, sql));
    assert_int_equal(number(charle_client_db(client), "select count(*) from ticket where number < 1"), 0);
}

static void label_stands_until_the_number_arrives(void **state)
{
    struct fixture *f = *state;
    struct charle_error err = {0};
    struct notes_ticket_patch made, answered = {0};
    char label[CHARLE_NUMBER_LABEL_SIZE];
    struct charle_client *client = open_client(f);
    must_sync(client);
    fake_server_sql(served_lock(&f->served), "insert into ticket(id, number, title) values ('t1', 41, 'Theirs')");
    served_unlock(&f->served);
    served_pause(&f->served);
    int64_t ticket = create(f, client, "Mine", &made, NULL);
    assert_true(made.number.has && made.number.value < 0);
    charle_number_label("T-", made.number.value, label);
    assert_int_equal(strlen(label), 8);
    assert_memory_equal(label, "T-?", 3);
    must_read_as(client, "Mine", label);
    assert_int_equal(charle_client_reply(client, ticket, &notes_ticket_service_create_method, &f->arena, &answered, &err), CHARLE_NOT_FOUND);
    // A later call on the same row, and opening the replica again, change nothing about it.
    const struct notes_ticket_key key = {made.id.value};
    const struct notes_ticket_patch set = {.title = {CHARLE_STR("Renamed"), true}};
    const struct notes_ticket_update request = {.key = &key, .set = &set};
    struct notes_ticket_patch renamed = {0};
    assert_int_equal(charle_client_call(client, &notes_ticket_service_update_method, &request, &f->arena, &renamed, NULL, &err), CHARLE_OK);
    assert_int_equal(renamed.number.value, made.number.value);
    charle_client_close(client);
    client = open_client(f);
    must_read_as(client, "Renamed", label);
    served_resume(&f->served);
    must_sync(client);
    must_read_as(client, "Renamed", "T-42");
    must_be_equal(f, client);
    assert_int_equal(charle_client_reply(client, ticket, &notes_ticket_service_create_method, &f->arena, &answered, &err), CHARLE_OK);
    assert_int_equal(answered.number.value, 42);
    assert_true(charle_str_equal(answered.id.value, made.id.value));
    assert_true(charle_str_equal(answered.title.value, CHARLE_STR("Mine"))); // as it was when the call ran
    assert_int_equal(charle_client_reply(client, ticket + 1, &notes_ticket_service_update_method, &f->arena, &answered, &err), CHARLE_NOT_FOUND);
    charle_client_close(client);
}

static void who_waits_for_the_verdict_gets_the_number(void **state)
{
    struct fixture *f = *state;
    struct charle_error err = {0};
    struct notes_ticket_patch made;
    struct charle_client *client = open_client(f);
    must_sync(client);
    assert_int_equal(charle_client_start(client, &err), CHARLE_OK);
    assert_true(wait_for_state(client, CHARLE_CLIENT_LIVE, 10000));
    create(f, client, "First", &made, &(struct charle_client_call_options){.wait_for_verdict = true, .timeout_ms = 10000});
    assert_int_equal(made.number.value, 1);
    must_be_equal(f, client);
    charle_client_close(client);
}

// A service written by hand: several numbers in one call, all different, and all replaced.
static void services_of_ones_own_make_numbers(void **state)
{
    struct fixture *f = *state;
    struct charle_error err = {0};
    const struct charle_str titles[] = {CHARLE_STR("a"), CHARLE_STR("b"), CHARLE_STR("c")};
    const struct notes_open_tickets_request request = {.title = {.items = titles, .count = 3}};
    struct notes_open_tickets_reply made = {0}, answered = {0};
    struct charle_client_outcome outcome;
    struct charle_client *client = open_client(f);
    must_sync(client);
    served_pause(&f->served);
    assert_int_equal(charle_client_call(client, &notes_notes_open_tickets_method, &request, &f->arena, &made,
                                        &(struct charle_client_call_options){.outcome = &outcome}, &err), CHARLE_OK);
    assert_int_equal(made.ticket.count, 3);
    assert_int_equal(number(charle_client_db(client), "select count(distinct number) from ticket where number < 0"), 3);
    served_resume(&f->served);
    must_sync(client);
    must_read_as(client, "a", "T-1");
    must_read_as(client, "c", "T-3");
    must_be_equal(f, client);
    assert_int_equal(charle_client_reply(client, outcome.ticket, &notes_notes_open_tickets_method, &f->arena, &answered, &err), CHARLE_OK);
    const struct notes_ticket *const *before = made.ticket.items, *const *after = answered.ticket.items;
    assert_int_equal(answered.ticket.count, 3);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(after[i]->number, i + 1);
        assert_true(before[i]->number < 0 && charle_str_equal(before[i]->id, after[i]->id));
    }
    charle_client_close(client);
}

struct seen {
    int inserted, updated, others;
    int64_t first, last;
};

static void follow(void *ctx, const struct charle_live_change *change)
{
    struct seen *seen = ctx;
    if (change->event == CHARLE_LIVE_INSERTED) {
        seen->inserted++;
        seen->first = change->values[1].int8;
    } else if (change->event == CHARLE_LIVE_UPDATED) {
        seen->updated++;
        assert_int_equal(change->old_values[1].int8, seen->first);
        seen->last = change->values[1].int8;
    } else if (change->event != CHARLE_LIVE_SETTLED) {
        seen->others++;
    }
}

// One change of one row: the list on a screen keeps its row and shows another number.
static void live_queries_tell_the_number_as_a_change(void **state)
{
    struct fixture *f = *state;
    struct charle_error err = {0};
    struct notes_ticket_patch made;
    struct seen seen = {0};
    struct charle_client_live *live = NULL;
    struct charle_client *client = open_client(f);
    must_sync(client);
    served_pause(&f->served);
    assert_int_equal(charle_client_live_open(client, NULL, &live, &err), CHARLE_OK);
    const struct charle_live_query query = {.sql = "select id, number from ticket", .key = "id", .fn = follow, .ctx = &seen};
    assert_int_equal(charle_client_live_add(live, &query, NULL, &err), CHARLE_OK);
    assert_int_equal(charle_client_live_take(live, &err), CHARLE_OK);
    create(f, client, "Mine", &made, NULL);
    assert_int_equal(charle_client_live_take(live, &err), CHARLE_OK);
    assert_int_equal(seen.inserted, 1);
    assert_int_equal(seen.first, made.number.value);
    served_resume(&f->served);
    must_sync(client);
    assert_int_equal(charle_client_live_take(live, &err), CHARLE_OK);
    assert_int_equal(seen.updated, 1);
    assert_int_equal(seen.last, 1);
    assert_true(seen.inserted == 1 && seen.others == 0);
    charle_client_live_close(live);
    charle_client_close(client);
}

static void refused_calls_leave_no_number(void **state)
{
    struct fixture *f = *state;
    struct charle_error err = {0};
    struct notes_ticket_patch made, answered = {0};
    struct charle_client *client = open_client(f);
    must_sync(client);
    served_lock(&f->served)->rejects = true;
    served_unlock(&f->served);
    int64_t ticket = create(f, client, "Refused", &made, NULL);
    must_sync(client);
    assert_int_equal(number(charle_client_db(client), "select count(*) from ticket"), 0);
    assert_int_equal(number(charle_client_db(client), "select count(*) from charle_reply"), 0);
    assert_int_equal(charle_client_reply(client, ticket, &notes_ticket_service_create_method, &f->arena, &answered, &err), CHARLE_NOT_FOUND);
    charle_client_close(client);
}

// The server's database was put back: the call runs there again and gets another number, and so does the kept reply.
static void a_number_that_the_server_lost_is_replaced(void **state)
{
    struct fixture *f = *state;
    struct charle_error err = {0};
    struct notes_ticket_patch made, answered = {0};
    struct charle_client *client = open_client(f);
    must_sync(client);
    fake_server_save(served_lock(&f->served));
    served_unlock(&f->served);
    int64_t ticket = create(f, client, "Mine", &made, NULL);
    must_sync(client);
    must_read_as(client, "Mine", "T-1");
    served_pause(&f->served);
    fake_server_restore(served_lock(&f->served));
    fake_server_sql(&f->served.fake, "insert into ticket(id, number, title) values ('t1', 7, 'Theirs')");
    served_unlock(&f->served);
    served_resume(&f->served);
    must_sync(client);
    must_read_as(client, "Mine", "T-8");
    must_be_equal(f, client);
    assert_int_equal(charle_client_reply(client, ticket, &notes_ticket_service_create_method, &f->arena, &answered, &err), CHARLE_OK);
    assert_int_equal(answered.number.value, 8);
    charle_client_close(client);
}

static void labels_are_read_as_documented(void **state)
{
    char label[CHARLE_NUMBER_LABEL_SIZE];
    (void)state;
    assert_string_equal(charle_number_label("T-", 123, label), "T-123");
    assert_string_equal(charle_number_label(NULL, 0, label), "0");
    assert_string_equal(charle_number_label("Quote #", -1, label), "Quote #?00001");
    assert_string_equal(charle_number_label("", -32, label), "?00010");
    assert_string_equal(charle_number_label("#", -CHARLE_PROVISIONAL_MAX, label), "#?zzzzz");
    assert_string_equal(charle_number_label("T-", INT64_MAX, label), "T-9223372036854775807");
    assert_string_equal(charle_number_label("A prefix that is longer than may be", INT64_MIN, label), "A prefix that is longer ?00000");
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        CASE(label_stands_until_the_number_arrives),
        CASE(who_waits_for_the_verdict_gets_the_number),
        CASE(services_of_ones_own_make_numbers),
        CASE(live_queries_tell_the_number_as_a_change),
        CASE(refused_calls_leave_no_number),
        CASE(a_number_that_the_server_lost_is_replaced),
        cmocka_unit_test(labels_are_read_as_documented),
    };
#undef CASE
    return cmocka_run_group_tests_name("numbers", tests, NULL, NULL);
}
