// Finding methods, who may call them, and running them.
#include "base/alloc.h"
#include "call/method.h"
#include "msg/wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

struct number {
    int64_t value;
};
static const struct charle_field number_fields[] = {{.number = 1,
                                                     .name = CHARLE_STR_INIT("value"),
                                                     .type = CHARLE_TYPE_INT8,
                                                     .wire = CHARLE_WIRE_INT64,
                                                     .label = CHARLE_REQUIRED,
                                                     .offset = offsetof(struct number, value)}};
static const struct charle_message number_message = {"test.Number", sizeof(struct number), number_fields, 1};

static enum charle_err twice(struct charle_context *context, const void *request, void *reply, struct charle_error *err)
{
    (void)context;
    const struct number *in = request;
    if (in->value < 0)
        return charle_fail(err, CHARLE_OUT_OF_RANGE, "negative");
    ((struct number *)reply)->value = in->value * 2;
    return CHARLE_OK;
}

static enum charle_err count_to(struct charle_context *context, const void *request, struct charle_stream *stream,
                                struct charle_error *err)
{
    (void)context;
    enum charle_err rc = CHARLE_OK;
    for (int64_t i = 1; !rc && i <= ((const struct number *)request)->value; i++)
        rc = charle_stream_send(stream, &(struct number){i}, err);
    return rc;
}

static enum charle_err engine(const struct charle_method *method, struct charle_context *context, const void *request,
                              void *reply, struct charle_error *err)
{
    (void)context, (void)err;
    ((struct number *)reply)->value = ((const struct number *)request)->value + method->crud;
    return CHARLE_OK;
}

#define METHOD(n) .name = CHARLE_STR_INIT(n), .request = &number_message, .reply = &number_message
static const char *const anyone[] = {"anyone", NULL}, *const signed_in[] = {"signed_in", NULL},
                         *const nobody[] = {NULL}, *const managers[] = {"admins", "managers", NULL},
                         *const own[] = {"user:{user_id}", NULL};
static const struct charle_method beta_methods[] = {
    {METHOD("test.Beta/Twice"), .unary = twice},
    {METHOD("test.Beta/Count"), .stream = count_to, .streaming = CHARLE_SERVER_STREAM},
    {METHOD("test.Beta/Update"), .crud = CHARLE_CRUD_UPDATE},
    {METHOD("test.Beta/Nothing")},
};
static const struct charle_method alpha_methods[] = {{METHOD("test.Alpha/Twice"), .unary = twice, .allow = managers}};
static const struct charle_service beta = {CHARLE_STR_INIT("test.Beta"), beta_methods, 4},
                                   alpha = {CHARLE_STR_INIT("test.Alpha"), alpha_methods, 1};
static const struct charle_service *const services[] = {&beta, &alpha}, *const doubled[] = {&beta, &alpha, &alpha};

static void methods_are_found_by_name(void **state)
{
    (void)state;
    struct charle_method_table table;
    assert_int_equal(charle_method_table_init(&table, services, 2, NULL), CHARLE_OK);
    for (size_t i = 0; i < 4; i++)
        assert_ptr_equal(charle_method_find(&table, beta_methods[i].name), &beta_methods[i]);
    assert_ptr_equal(charle_method_find(&table, alpha_methods[0].name), &alpha_methods[0]);
    assert_null(charle_method_find(&table, CHARLE_STR("test.Beta/Twic")));
    assert_null(charle_method_find(&table, CHARLE_STR("")));
    charle_method_table_deinit(&table);
    charle_method_table_deinit(&table); // twice is fine
    struct charle_error err;
    assert_int_equal(charle_method_table_init(&table, doubled, 3, &err), CHARLE_ALREADY_EXISTS);
    assert_string_equal(err.text, "two services have the method test.Alpha/Twice");
    ch_alloc_fail_at(1, 0);
    enum charle_err rc = charle_method_table_init(&table, services, 2, NULL);
    ch_alloc_fail_at(0, 0);
    assert_int_equal(rc, CHARLE_NO_MEMORY);
    assert_int_equal(charle_method_table_init(&table, NULL, 0, NULL), CHARLE_OK);
    assert_null(charle_method_find(&table, CHARLE_STR("x")));
    charle_method_table_deinit(&table);
}

static void assert_caller(const char *const *allow, const struct charle_identity *identity, enum charle_err code,
                          const char *words)
{
    const struct charle_method method = {METHOD("test.Any/Thing"), .allow = allow};
    struct charle_error err = {0};
    assert_int_equal(charle_method_check_caller(&method, identity, &err), code);
    if (!strstr(err.text, words))
        fail_msg("expected \"%s\" in \"%s\"", words, err.text);
}

static void only_those_who_may_call(void **state)
{
    (void)state;
    const struct charle_str scopes[] = {CHARLE_STR("managers"), CHARLE_STR("user:1")};
    const struct charle_identity stranger = {0}, person = {.principal = CHARLE_STR("user"), .id = CHARLE_STR("1")},
                                 manager = {.principal = CHARLE_STR("user"), .scopes = scopes, .scope_count = 2},
                                 forged = {.scopes = scopes,
                                           .scope_count = 2}; // scopes without a session count for nothing
    assert_caller(NULL, NULL, CHARLE_OK, "");
    assert_caller(anyone, NULL, CHARLE_OK, "");
    assert_caller(anyone, &stranger, CHARLE_OK, "");
    assert_caller(signed_in, &person, CHARLE_OK, "");
    assert_caller(signed_in, &stranger, CHARLE_UNAUTHENTICATED, "this needs a session: sign in first");
    assert_caller(signed_in, NULL, CHARLE_UNAUTHENTICATED, "needs a session");
    assert_caller(nobody, &manager, CHARLE_PERMISSION_DENIED, "nobody may call test.Any/Thing");
    assert_caller(nobody, &stranger, CHARLE_PERMISSION_DENIED, "nobody may call");
    assert_caller(managers, &manager, CHARLE_OK, "");
    assert_caller(managers, &person, CHARLE_PERMISSION_DENIED, "test.Any/Thing needs one of these: admins, managers;");
    assert_caller(managers, &forged, CHARLE_UNAUTHENTICATED, "needs a session");
    assert_caller(own, &person, CHARLE_OK, ""); // which row it is about is looked at later
    assert_caller(own, &stranger, CHARLE_UNAUTHENTICATED, "needs a session");
}

static enum charle_err run(const struct charle_method *method, struct charle_context *context, int64_t value,
                           int64_t *out, struct charle_error *err)
{
    struct charle_buf request = {0}, reply = {0};
    struct number result = {0};
    charle_message_write(&number_message, &(struct number){value}, &request);
    enum charle_err rc = charle_method_run(method, context, charle_buf_bytes(&request), &reply, err);
    if (!rc)
        rc = charle_message_read(&number_message, charle_buf_bytes(&reply), context->arena, &result, err);
    *out = result.value;
    charle_buf_deinit(&request);
    charle_buf_deinit(&reply);
    return rc;
}

static void a_method_runs(void **state)
{
    (void)state;
    struct charle_arena arena = {0};
    struct charle_context context = {.arena = &arena};
    struct charle_error err;
    int64_t out;
    assert_int_equal(run(&beta_methods[0], &context, 21, &out, &err), CHARLE_OK);
    assert_int_equal(out, 42);
    assert_int_equal(run(&beta_methods[0], &context, -1, &out, NULL), CHARLE_OUT_OF_RANGE);
    assert_int_equal(run(&alpha_methods[0], &context, 1, &out, &err), CHARLE_UNAUTHENTICATED);
    assert_int_equal(run(&beta_methods[3], &context, 1, &out, &err), CHARLE_UNIMPLEMENTED);
    assert_int_equal(run(&beta_methods[2], &context, 1, &out, &err), CHARLE_UNIMPLEMENTED);
    assert_non_null(strstr(err.text, "no engine"));
    context.crud = engine;
    assert_int_equal(run(&beta_methods[2], &context, 1, &out, &err), CHARLE_OK);
    assert_int_equal(out, 1 + CHARLE_CRUD_UPDATE);
    struct charle_buf reply = {0};
    assert_int_equal(charle_method_run(&beta_methods[0], &context, charle_bytes("", 0), &reply, &err),
                     CHARLE_INVALID_ARGUMENT);
    assert_string_equal(err.text, "test.Number.value is required and missing");
    charle_buf_init(&reply, 1); // no room for the reply
    struct charle_buf request = {0};
    charle_message_write(&number_message, &(struct number){300}, &request);
    assert_int_equal(charle_method_run(&beta_methods[0], &context, charle_buf_bytes(&request), &reply, &err),
                     CHARLE_TOO_LARGE);
    charle_buf_deinit(&request);
    charle_buf_deinit(&reply);
    charle_arena_deinit(&arena);
}

struct sink {
    int64_t sum;
    int count, fail_at;
};

static enum charle_err take(void *ctx, struct charle_bytes message, struct charle_error *err)
{
    struct sink *sink = ctx;
    struct charle_arena arena = {0};
    struct number number;
    if (++sink->count == sink->fail_at)
        return charle_fail(err, CHARLE_CANCELLED, "gone");
    enum charle_err rc = charle_message_read(&number_message, message, &arena, &number, err);
    sink->sum += number.value;
    charle_arena_deinit(&arena);
    return rc;
}

static void a_stream_runs(void **state)
{
    (void)state;
    struct charle_arena arena = {0};
    struct charle_context context = {.arena = &arena};
    struct charle_buf request = {0};
    struct sink sink = {0};
    struct charle_stream stream = {.method = &beta_methods[1], .send = take, .ctx = &sink};
    charle_message_write(&number_message, &(struct number){10}, &request);
    assert_int_equal(charle_method_run_stream(&beta_methods[1], &context, charle_buf_bytes(&request), &stream, NULL),
                     CHARLE_OK);
    assert_int_equal(sink.sum, 55);
    sink = (struct sink){.fail_at = 3};
    assert_int_equal(charle_method_run_stream(&beta_methods[1], &context, charle_buf_bytes(&request), &stream, NULL),
                     CHARLE_CANCELLED);
    assert_int_equal(sink.count, 3);
    assert_int_equal(charle_method_run_stream(&beta_methods[0], &context, charle_buf_bytes(&request), &stream, NULL),
                     CHARLE_UNIMPLEMENTED);
    charle_stream_deinit(&stream);
    charle_stream_deinit(NULL);
    charle_buf_deinit(&request);
    charle_arena_deinit(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(methods_are_found_by_name),
        cmocka_unit_test(only_those_who_may_call),
        cmocka_unit_test(a_method_runs),
        cmocka_unit_test(a_stream_runs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
