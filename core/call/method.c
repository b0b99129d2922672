#include "call/method.h"

#include "base/alloc.h"
#include "msg/wire.h"

#include <stdio.h>
#include <stdlib.h>

// --- the table ---------------------------------------------------------------------------------------------

static int compare_methods(const void *a, const void *b)
{
    const struct charle_method *const *x = a, *const *y = b;
    return charle_str_compare((*x)->name, (*y)->name);
}

enum charle_err charle_method_table_init(struct charle_method_table *table,
                                         const struct charle_service *const *services, size_t count,
                                         struct charle_error *err)
{
    *table = (struct charle_method_table){0};
    size_t total = 0;
    for (size_t i = 0; i < count; i++)
        total += services[i]->method_count;
    const struct charle_method **methods = ch_realloc_array(NULL, total, sizeof(*methods));
    if (!methods)
        return charle_fail(err, CHARLE_NO_MEMORY, "no memory for a table of %zu methods", total);
    size_t used = 0;
    for (size_t i = 0; i < count; i++) {
        for (size_t m = 0; m < services[i]->method_count; m++)
            methods[used++] = &services[i]->methods[m];
    }
    if (total)
        qsort(methods, total, sizeof(*methods), compare_methods);
    for (size_t i = 1; i < total; i++) {
        if (compare_methods(&methods[i - 1], &methods[i]) == 0) {
            struct charle_str name = methods[i]->name;
            ch_free(methods);
            return charle_fail(err, CHARLE_ALREADY_EXISTS, "two services have the method %.*s", CHARLE_FMT(name));
        }
    }
    *table = (struct charle_method_table){methods, total};
    return CHARLE_OK;
}

void charle_method_table_deinit(struct charle_method_table *table)
{
    if (!table)
        return;
    ch_free(table->methods);
    *table = (struct charle_method_table){0};
}

const struct charle_method *charle_method_find(const struct charle_method_table *table, struct charle_str name)
{
    size_t low = 0, high = table->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = charle_str_compare(table->methods[middle]->name, name);
        if (order == 0)
            return table->methods[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

// --- who may call ------------------------------------------------------------------------------------------

// Says which scopes would do, as far as they fit.
static enum charle_err denied(const struct charle_method *method, struct charle_error *err)
{
    char list[120] = "";
    size_t used = 0;
    for (const char *const *allow = method->allow; *allow && used < sizeof(list); allow++)
        used += (size_t)snprintf(list + used, sizeof(list) - used, "%s%s", used ? ", " : "", *allow);
    if (!used)
        return charle_fail(err, CHARLE_PERMISSION_DENIED, "nobody may call %.*s", CHARLE_FMT(method->name));
    return charle_fail(err, CHARLE_PERMISSION_DENIED, "%.*s needs one of these: %s; this caller has none of them",
                       CHARLE_FMT(method->name), list);
}

enum charle_err charle_method_check_caller(const struct charle_method *method, const struct charle_identity *identity,
                                           struct charle_error *err)
{
    if (!method->allow)
        return CHARLE_OK;
    bool is_signed_in = identity && identity->principal.len;
    for (const char *const *allow = method->allow; *allow; allow++) {
        if (strcmp(*allow, "anyone") == 0)
            return CHARLE_OK;
        if (!is_signed_in)
            continue;
        if (strcmp(*allow, "signed_in") == 0 || strchr(*allow, '{') ||
            charle_identity_holds(identity, charle_str(*allow)))
            return CHARLE_OK;
    }
    if (!is_signed_in && *method->allow)
        return charle_fail(err, CHARLE_UNAUTHENTICATED, "this needs a session: sign in first");
    return denied(method, err);
}

// --- running -----------------------------------------------------------------------------------------------

static enum charle_err read_request(const struct charle_method *method, struct charle_context *context,
                                    struct charle_bytes bytes, void **out, struct charle_error *err)
{
    *out = charle_arena_alloc(context->arena, method->request->size);
    if (!*out)
        return charle_fail(err, CHARLE_NO_MEMORY, "no memory for the request of %.*s", CHARLE_FMT(method->name));
    return charle_message_read(method->request, bytes, context->arena, *out, err);
}

static enum charle_err run_body(const struct charle_method *method, struct charle_context *context, const void *request,
                                void *reply, struct charle_error *err)
{
    if (method->unary)
        return method->unary(context, request, reply, err);
    if (method->crud == CHARLE_CRUD_NONE || method->streaming != CHARLE_UNARY)
        return charle_fail(err, CHARLE_UNIMPLEMENTED, "%.*s has no unary implementation here",
                           CHARLE_FMT(method->name));
    if (!context->crud)
        return charle_fail(err, CHARLE_UNIMPLEMENTED, "%.*s is generated, and this context has no engine for those",
                           CHARLE_FMT(method->name));
    return context->crud(method, context, request, reply, err);
}

enum charle_err charle_method_run(const struct charle_method *method, struct charle_context *context,
                                  struct charle_bytes request_bytes, struct charle_buf *reply_buf,
                                  struct charle_error *err)
{
    struct charle_error own;
    err = err ? err : &own;
    void *request;
    enum charle_err rc = charle_method_check_caller(method, context->identity, err);
    if (!rc)
        rc = read_request(method, context, request_bytes, &request, err);
    if (rc)
        return rc;
    void *reply = charle_arena_alloc(context->arena, method->reply->size);
    if (!reply)
        return charle_fail(err, CHARLE_NO_MEMORY, "no memory for the reply of %.*s", CHARLE_FMT(method->name));
    rc = run_body(method, context, request, reply, err);
    if (!rc) // a text that the body could not copy is not to be taken for an empty one
        rc = charle_arena_check(context->arena, "what this call makes", err);
    if (rc)
        return rc;
    charle_message_write(method->reply, reply, reply_buf);
    return reply_buf->failed ? charle_fail(err, reply_buf->failed, "the reply of %.*s cannot be encoded: %s",
                                           CHARLE_FMT(method->name), charle_err_text(reply_buf->failed))
                             : CHARLE_OK;
}

enum charle_err charle_method_run_stream(const struct charle_method *method, struct charle_context *context,
                                         struct charle_bytes request_bytes, struct charle_stream *stream,
                                         struct charle_error *err)
{
    struct charle_error own;
    err = err ? err : &own;
    if (!method->stream)
        return charle_fail(err, CHARLE_UNIMPLEMENTED, "%.*s does not stream here", CHARLE_FMT(method->name));
    void *request;
    enum charle_err rc = charle_method_check_caller(method, context->identity, err);
    if (!rc)
        rc = read_request(method, context, request_bytes, &request, err);
    return rc ? rc : method->stream(context, request, stream, err);
}

enum charle_err charle_stream_send(struct charle_stream *stream, const void *message, struct charle_error *err)
{
    charle_buf_reset(&stream->buf);
    charle_message_write(stream->method->reply, message, &stream->buf);
    if (stream->buf.failed)
        return charle_fail(err, stream->buf.failed, "a message of %.*s cannot be encoded: %s",
                           CHARLE_FMT(stream->method->name), charle_err_text(stream->buf.failed));
    return stream->send(stream->ctx, charle_buf_bytes(&stream->buf), err);
}

void charle_stream_deinit(struct charle_stream *stream)
{
    if (stream)
        charle_buf_deinit(&stream->buf);
}
