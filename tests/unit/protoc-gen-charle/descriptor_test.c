// The C that the generator makes of small.proto: descriptors against the structs they describe, methods, constructors,
// handles.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "msg/json.h"
#include "msg/wire.h"
#include "small.columns.charle.h"
#include "small.schema.charle.h"

// --- messages -------------------------------------------------------------------------------------------------------

// Every field lies within its struct, behind the one before, and its flag behind its value.
static void check_layout(const struct charle_message *message)
{
    size_t end = 0;

    for (size_t i = 0; i < message->field_count; i++) {
        const struct charle_field *field = &message->fields[i];

        assert_true(i == 0 || message->fields[i - 1].number < field->number);
        assert_true(field->offset >= end);
        assert_true(field->label == CHARLE_REPEATED ||
                    (field->type == CHARLE_TYPE_ENUM) == (field->enumeration != NULL));
        assert_int_equal(field->type == CHARLE_TYPE_MESSAGE, field->message != NULL);
        end = field->label == CHARLE_REPEATED ? field->offset + sizeof(struct charle_array)
                                              : field->offset + charle_type_size((enum charle_type)field->type);
        if (field->has_offset) {
            assert_true(field->has_offset > field->offset);
            assert_true(field->has_offset < message->size);
        }
        assert_true(end <= message->size);
    }
}

static void test_fields_lie_where_the_descriptors_say(void **state)
{
    (void)state;
    for (size_t i = 0; i < small_schema.table_count; i++) {
        const struct charle_table *table = small_schema.tables[i];

        check_layout(table->row);
        check_layout(table->patch);
        check_layout(table->insert);
        check_layout(table->key);
    }
    check_layout(&small_close_request_message);
}

static const char everything_json[] =
    "{\"id\":1,\"a_bool\":true,\"c_bool\":[true,false],\"a_int4\":-3,\"b_int4\":4,\"c_int4\":[1,-2],\"a_int8\":"
    "9007199254740993,"
    "\"b_int8\":-9,\"a_float8\":1.5,\"c_float8\":[0.25],\"a_text\":\"\xc3\xa4\",\"c_text\":[\"x\",\"\"],\"a_bytes\":"
    "\"AAEC\","
    "\"a_enum\":\"so-so\",\"b_enum\":\"bad\",\"c_enum\":[\"good\",\"so-so\"],\"a_ts\":\"2026-11-22T12:41:00.000001Z\","
    "\"a_date\":\"2020-02-29\",\"c_date\":[\"1969-12-31\"],\"a_numeric\":\"12.5\",\"a_uuid\":\"00112233-4455-6677-8899-"
    "aabbccddeeff\","
    "\"b_uuid\":\"ffeeddcc-bbaa-9988-7766-554433221100\",\"a_json\":{\"a\":[1]}}";

static void test_a_row_of_all_types_survives_the_wire(void **state)
{
    struct charle_arena arena = {0};
    struct charle_buf wire = {0}, json = {0};
    struct small_everything row, back;
    struct charle_error err = {0};

    (void)state;
    if (charle_message_read_json(&small_everything_message, charle_str(everything_json), &arena, &row, &err))
        fail_msg("%s", err.text);
    assert_int_equal(row.a_int8, 9007199254740993);
    assert_int_equal(row.a_enum, SMALL_MOOD_SO_SO);
    assert_int_equal(row.a_uuid.bytes[15], 0xff);
    assert_true(row.b_uuid.has);
    assert_int_equal(row.c_date.count, 1);
    charle_message_write(&small_everything_message, &row, &wire);
    if (charle_message_read(&small_everything_message, charle_buf_bytes(&wire), &arena, &back, &err))
        fail_msg("%s", err.text);
    charle_message_write_json(&small_everything_message, &back, &json);
    assert_string_equal(charle_buf_text(&json), everything_json);
    charle_buf_deinit(&wire);
    charle_buf_deinit(&json);
    charle_arena_deinit(&arena);
}

static void test_enums_are_known_by_their_sql_names(void **state)
{
    (void)state;
    assert_int_equal(charle_enum_by_name(&small_mood_enum, CHARLE_STR("so-so"))->number, SMALL_MOOD_SO_SO);
    assert_int_equal(charle_enum_by_name(&small_state_enum, CHARLE_STR("new"))->number, SMALL_S_NEW);
    assert_int_equal(charle_enum_by_name(&small_close_request_reason_kind_enum, CHARLE_STR("lost"))->number,
                     SMALL_CLOSE_REQUEST_REASON_LOST);
    assert_null(charle_enum_by_name(&small_mood_enum, CHARLE_STR("MOOD_BAD")));
}

// --- tables ---------------------------------------------------------------------------------------------------------

static const struct charle_column *job_column(const char *name)
{
    return charle_table_column(&small_job_table, charle_str(name));
}

static void test_columns_say_what_the_schema_says(void **state)
{
    const struct charle_column *state_column = job_column("state"), *owner = job_column("owner_id");

    (void)state;
    assert_int_equal(state_column->merge, CHARLE_MERGE_FSM);
    assert_int_equal(state_column->transition_count, 3); // new to open, and to done from new and open
    assert_string_equal(state_column->default_sql.sqlite, "'new'");
    assert_ptr_equal(owner->references, &small_person_table);
    assert_int_equal(owner->references_column, 0);
    assert_int_equal(owner->on_delete, CHARLE_RESTRICT);
    assert_int_equal(job_column("starts_on")->merge_group, job_column("ends_on")->merge_group);
    assert_int_not_equal(job_column("starts_on")->merge_group, 0);
    assert_int_equal(job_column("number")->generate, CHARLE_GENERATE_SERIAL);
    assert_true(job_column("labels")->is_array && !job_column("labels")->is_nullable);
    assert_true(charle_table_column(&small_everything_table, CHARLE_STR("c_int8"))->is_nullable);
    assert_true(charle_table_column(&small_person_table, CHARLE_STR("secret"))->is_server_only);
    for (size_t i = 0; i < small_job_table.column_count; i++) {
        assert_int_equal(small_job_table.columns[i].index, i);
        assert_ptr_equal(small_job_table.columns[i].field, &small_job_message.fields[i]);
    }
}

static bool shows(const struct charle_table *table, size_t audience, const char *column)
{
    return charle_column_set_has(&table->audiences[audience].columns,
                                 charle_table_column(table, charle_str(column))->index);
}

static void test_audiences_show_what_they_may(void **state)
{
    const struct charle_table *people = &small_person_table, *jobs = &small_job_table;

    (void)state;
    assert_true(shows(people, 0, "name") && !shows(people, 0, "birthday") && shows(people, 1, "birthday"));
    assert_false(shows(people, 0, "secret") || shows(people, 1, "secret"));
    assert_false(
        charle_column_set_has(people->replica_columns, charle_table_column(people, CHARLE_STR("secret"))->index));
    assert_true(shows(jobs, 0, "id") && shows(jobs, 0, "title") && !shows(jobs, 0, "owner_id"));
    assert_int_equal(jobs->audiences[0].kind, CHARLE_AUDIENCE_CONSTANT);
    assert_int_equal(jobs->audiences[1].kind, CHARLE_AUDIENCE_COLUMN);
    assert_int_equal(jobs->audiences[1].column, job_column("owner_id")->index);
    assert_int_equal(jobs->audiences[2].kind, CHARLE_AUDIENCE_PATH);
    assert_string_equal(jobs->audiences[2].path_key, "p2.\"area_code\"");
    assert_false(small_vault_table.is_replicated);
}

static void test_keys_keep_the_order_of_the_schema(void **state)
{
    (void)state;
    assert_int_equal(small_member_table.key_count, 2);
    assert_int_equal(small_member_table.key_columns[0], 0);
    assert_int_equal(small_member_table.key_columns[1], 1);
    assert_string_equal(small_area_table.name.ptr, "order");
    assert_int_equal(small_area_key_message.field_count, 2);
}

static void test_inserts_ask_for_what_nobody_fills_in(void **state)
{
    struct small_job_insert new_job = small_job_insert_init(CHARLE_STR("Paint"), CHARLE_STR("p1"));

    (void)state;
    assert_true(charle_str_equal(new_job.owner_id, CHARLE_STR("p1")));
    assert_false(new_job.id.has || new_job.number.has || new_job.state.has || new_job.created_at.has);
    assert_int_equal(charle_message_field(&small_job_insert_message, 3)->label, CHARLE_REQUIRED);
    assert_int_equal(charle_message_field(&small_job_patch_message, 3)->label, CHARLE_OPTIONAL);
}

static void test_handles_know_table_column_and_alias(void **state)
{
    struct small_job_columns parent = small_job_alias(2);

    (void)state;
    assert_ptr_equal(job.title.ref.table, &small_job_table);
    assert_int_equal(job.title.ref.column, job_column("title")->index);
    assert_int_equal(job.title.ref.alias, 0);
    assert_int_equal(parent.title.ref.alias, 2);
    assert_ptr_equal(order.default_.ref.table, &small_area_table); // `default` is C's own word
}

// --- schema and services --------------------------------------------------------------------------------------------

static void test_the_schema_lists_all_once(void **state)
{
    (void)state;
    assert_int_equal(small_schema.table_count, 7);
    assert_int_equal(small_schema.service_count, 7);
    assert_int_equal(small_schema_tables.service_count, 6);
    assert_true(small_schema.hash == small_schema_tables.hash && small_schema.hash != 0);
    assert_true(charle_str_equal(small_schema.services[0]->name, CHARLE_STR("small.Jobs")));
    for (size_t i = 1; i < small_schema.table_count; i++)
        assert_true(small_schema.tables[i - 1]->id < small_schema.tables[i]->id);
    assert_int_equal(small_schema.grants[2].depends_count, 1);
    assert_int_equal(small_schema.grants[2].depends_on[0], small_member_table.id);
    assert_int_equal(small_schema.grants[1].depends_count, 0);
}

static void test_generated_services_are_open_to_whom_the_table_says(void **state)
{
    const struct charle_method *methods = small_job_service.methods;

    (void)state;
    assert_int_equal(small_job_service.method_count, 5);
    assert_int_equal(methods[0].crud, CHARLE_CRUD_CREATE);
    assert_ptr_equal(methods[0].table, &small_job_table);
    assert_string_equal(methods[0].allow[0], "person:{owner_id}");
    assert_true(methods[0].is_offline && !methods[0].is_read_only && methods[2].is_read_only);
    assert_string_equal(methods[1].allow[0], "signed_in");
    assert_null(small_vault_service.methods[1].allow[0]); // nobody reads a table without an audience
    assert_null(small_member_service.methods[0].allow[0]);
}

static enum charle_err count_message(void *ctx, struct charle_bytes message, struct charle_error *err)
{
    (void)err;
    *(size_t *)ctx += message.len;
    return CHARLE_OK;
}

static void test_calls_reach_the_handlers(void **state)
{
    const struct charle_method *methods = small_schema.services[0]->methods;
    struct charle_context context = {.now = {42}};
    struct small_close_request request = {.job_id = CHARLE_STR("j1")};
    struct small_close_reply reply = {0};
    size_t sent = 0;
    struct charle_stream stream = {.method = &methods[1], .send = count_message, .ctx = &sent};
    struct charle_error err = {0};

    (void)state;
    assert_int_equal(methods[0].unary(&context, &request, &reply, &err), CHARLE_OK);
    assert_int_equal(reply.closed_at.us, 42);
    request.job_id = CHARLE_STR("");
    assert_int_equal(methods[0].unary(&context, &request, &reply, &err), CHARLE_INVALID_ARGUMENT);
    assert_null(methods[0].stream);
    assert_int_equal(methods[1].streaming, CHARLE_SERVER_STREAM);
    assert_int_equal(methods[1].stream(&context, &request, &stream, &err), CHARLE_OK);
    assert_int_equal(sent, 9); // one sfixed64 with its tag
    charle_stream_deinit(&stream);
    assert_true(methods[0].is_offline && methods[0].is_idempotent && methods[0].deadline_ms == 1500);
    assert_null(methods[2].allow);              // the method checks for itself
    assert_null(small_jobs_close_method.unary); // a client needs no handler
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fields_lie_where_the_descriptors_say),
        cmocka_unit_test(test_a_row_of_all_types_survives_the_wire),
        cmocka_unit_test(test_enums_are_known_by_their_sql_names),
        cmocka_unit_test(test_columns_say_what_the_schema_says),
        cmocka_unit_test(test_audiences_show_what_they_may),
        cmocka_unit_test(test_keys_keep_the_order_of_the_schema),
        cmocka_unit_test(test_inserts_ask_for_what_nobody_fills_in),
        cmocka_unit_test(test_handles_know_table_column_and_alias),
        cmocka_unit_test(test_the_schema_lists_all_once),
        cmocka_unit_test(test_generated_services_are_open_to_whom_the_table_says),
        cmocka_unit_test(test_calls_reach_the_handlers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
