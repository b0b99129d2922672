// Services: method descriptors, client stubs, and the binding of hand-written services to the functions that do the
// work.
#include "out.h"

const char *ch_out_service_symbol(struct charle_arena *run, const struct ch_model_service *service)
{
    size_t len = strlen(service->c_name);

    if (len > 8 && strcmp(service->c_name + len - 8, "_service") == 0)
        return service->c_name;
    return ch_text(run, "%s_service", service->c_name);
}

static const char *streaming_constant(enum charle_streaming streaming)
{
    static const char *const names[] = {"UNARY", "SERVER_STREAM", "CLIENT_STREAM", "BIDI_STREAM"};

    return names[streaming];
}

static const char *crud_constant(uint8_t crud)
{
    static const char *const names[] = {"NONE", "CREATE", "GET", "LIST", "UPDATE", "DELETE"};

    return names[crud];
}

static void allow_list(struct charle_buf *out, const char *const *allow)
{
    charle_buf_add_text(out, "(const char *const[]){");
    for (; *allow; allow++) {
        ch_c_string(out, *allow, 0);
        charle_buf_add_text(out, ", ");
    }
    charle_buf_add_text(out, "NULL}");
}

static void table_refs(struct charle_buf *out, const char *indent, const char *member, const struct ch_model_table *const *tables,
                       size_t count)
{
    if (!count)
        return;
    charle_buf_printf(out, "%s.%s = (const struct charle_table *const[]){", indent, member);
    for (size_t i = 0; i < count; i++)
        charle_buf_printf(out, "&%s_table, ", tables[i]->c_name);
    charle_buf_add_text(out, "NULL},\n");
}

// Tables of other files that methods of the service use: declared once each.
static void foreign_tables(struct ch_gen *gen, struct charle_buf *out, const struct ch_model_service *service)
{
    const struct ch_model_table **seen = NULL;
    size_t seen_count = 0;

    for (size_t i = 0; i < service->method_count; i++) {
        const struct ch_model_method *method = &service->methods[i];

        for (size_t j = 0; j < method->read_count + method->write_count; j++) {
            const struct ch_model_table *table = j < method->read_count ? method->reads[j] : method->writes[j - method->read_count];
            bool is_new = table->file != service->file;

            for (size_t k = 0; is_new && k < seen_count; k++)
                is_new = seen[k] != table;
            if (!is_new)
                continue;
            CH_APPEND(gen->run, seen, seen_count, table);
            charle_buf_printf(out, "%sextern const struct charle_table %s_table;\n", seen_count == 1 ? "\n" : "", table->c_name);
        }
    }
}

// The members of a charle_method between its braces. `handler`: what goes behind the flags, or "".
static void method_members(struct charle_buf *out, const struct ch_model_service *service,
                           const struct ch_model_method *method, const char *indent, const char *handler)
{
    charle_buf_printf(out, "%s.name = CHARLE_STR_INIT(\"%s\"),\n", indent, method->full_name);
    charle_buf_printf(out, "%s.request = &%s_message,\n%s.reply = &%s_message,\n", indent, method->request->c_name,
                      indent, method->reply->c_name);
    charle_buf_printf(out, "%s.streaming = CHARLE_%s, .crud = CHARLE_CRUD_%s,\n", indent,
                      streaming_constant(method->streaming), crud_constant(method->crud));
    charle_buf_printf(out, "%s.is_read_only = %s, .is_idempotent = %s, .is_offline = %s, .deadline_ms = %u,\n", indent,
                      method->is_read_only ? "true" : "false", method->is_idempotent ? "true" : "false",
                      method->is_offline ? "true" : "false", method->deadline_ms);
    if (method->allow) {
        charle_buf_printf(out, "%s.allow = ", indent);
        allow_list(out, method->allow);
        charle_buf_add_text(out, ",\n");
    }
    if (service->table)
        charle_buf_printf(out, "%s.table = &%s_table,\n", indent, service->table->c_name);
    table_refs(out, indent, "reads", (const struct ch_model_table *const *)method->reads, method->read_count);
    table_refs(out, indent, "writes", (const struct ch_model_table *const *)method->writes, method->write_count);
    charle_buf_add_text(out, handler);
}

void ch_out_method_types(struct charle_buf *out, const struct ch_model *model, const struct ch_model_file *file)
{
    for (size_t i = 0; i < model->service_count; i++) {
        const struct ch_model_service *service = model->services[i];

        if (service->file != file)
            continue;
        charle_buf_printf(out, "\n// %s\n", service->full_name);
        for (size_t j = 0; j < service->method_count; j++)
            charle_buf_printf(out, "extern const struct charle_method %s_method;\n", service->methods[j].c_name);
        if (service->table)
            charle_buf_printf(out, "extern const struct charle_service %s;\n", service->c_name);
    }
}

static void service_data(struct ch_gen *gen, struct charle_buf *out, const struct ch_model_service *service)
{
    foreign_tables(gen, out, service);
    for (size_t i = 0; i < service->method_count; i++) {
        charle_buf_printf(out, "\nconst struct charle_method %s_method = {\n", service->methods[i].c_name);
        method_members(out, service, &service->methods[i], "    ", "");
        charle_buf_add_text(out, "};\n");
    }
    if (!service->table)
        return; // a hand-written one stands with its handlers
    charle_buf_printf(out, "\nstatic const struct charle_method %s_methods[] = {\n", service->c_name);
    for (size_t i = 0; i < service->method_count; i++) {
        charle_buf_add_text(out, "    {\n");
        method_members(out, service, &service->methods[i], "        ", "");
        charle_buf_add_text(out, "    },\n");
    }
    charle_buf_printf(
        out,
        "};\nconst struct charle_service %s = {\n    .name = CHARLE_STR_INIT(\"%s\"), .methods = %s_methods, "
        ".method_count = %zu};\n",
        service->c_name, service->full_name, service->c_name, service->method_count);
}

void ch_out_method_data(struct ch_gen *gen, struct charle_buf *out, const struct ch_model_file *file)
{
    for (size_t i = 0; i < gen->model.service_count; i++)
        if (gen->model.services[i]->file == file)
            service_data(gen, out, gen->model.services[i]);
}

// --- stubs ----------------------------------------------------------------------------------------------------------

// Two doors to the same methods: through libcharle (which may run the method here and queue it), or straight over a
// channel.
struct ch_door {
    const char *file; // a/b.<file>.charle.h
    const char *note; // what the stubs do, for the head of the file
    const char *include;
    const char *suffix; // of the function's name
    const char *result;
    const char *owner;   // its first parameter
    const char *options; // the type of its options
    const char *call;
};

static void stub(struct charle_buf *out, const struct ch_door *door, const struct ch_model_method *method)
{
    charle_buf_printf(out, "\n// %s\n", method->full_name);
    charle_buf_printf(out, "static inline CHARLE_MUST_CHECK %s\n%s_%s(%s,\n", door->result, method->c_name,
                      door->suffix, door->owner);
    charle_buf_printf(out, "    const struct %s *request, struct charle_arena *arena,\n", method->request->c_name);
    charle_buf_printf(out, "    struct %s *reply, const struct %s *options, struct charle_error *err)\n{\n",
                      method->reply->c_name, door->options);
    charle_buf_printf(out, "    return %s, &%s_method, request, arena, reply, options, err);\n}\n", door->call,
                      method->c_name);
}

static void stubs(struct ch_gen *gen, const struct ch_model_file *file, const struct ch_door *door)
{
    const char *name = ch_text(gen->run, "%s.%s.charle.h", file->stem, door->file);
    struct charle_buf *out = ch_output_open(gen, name);

    ch_out_head(out, file->name);
    charle_buf_printf(out, "//\n%s", door->note);
    ch_out_guard_open(gen, out, name);
    charle_buf_printf(out, "#include \"%s.charle.h\"\n#include \"%s\"\n", file->stem, door->include);
    for (size_t i = 0; i < gen->model.service_count; i++) {
        const struct ch_model_service *service = gen->model.services[i];

        for (size_t j = 0; service->file == file && j < service->method_count; j++)
            if (service->methods[j].streaming == CHARLE_UNARY)
                stub(out, door, &service->methods[j]);
    }
    ch_out_guard_close(out);
}

void ch_out_stubs(struct ch_gen *gen, const struct ch_model_file *file)
{
    static const struct ch_door client = {
        .file = "client",
        .note = "// Calls through libcharle, as charle_client_call: what can run offline runs here at once, the rest "
                "on the server.\n"
                "// The reply's memory is the arena's.\n",
        .include = "charle/charle.h",
        .suffix = "call",
        .result = "int",
        .owner = "struct charle_client *client",
        .options = "charle_client_call_options",
        .call = "charle_client_call(client",
    };
    static const struct ch_door channel = {
        .file = "channel",
        .note = "// Blocking calls over a channel, as charle_call. The reply's memory is the arena's.\n",
        .include = "rpc/rpc.h",
        .suffix = "rpc",
        .result = "enum charle_err",
        .owner = "struct charle_channel *channel",
        .options = "charle_call_options",
        .call = "charle_call(channel",
    };
    stubs(gen, file, &client);
    stubs(gen, file, &channel);
}

// --- handlers -------------------------------------------------------------------------------------------------------

static void handler_type(struct charle_buf *out, const struct ch_model_method *method)
{
    charle_buf_printf(out, "enum charle_err %s(struct charle_context *context,\n    const struct %s *request, ",
                      method->c_name, method->request->c_name);
    if (method->streaming == CHARLE_UNARY)
        charle_buf_printf(out, "struct %s *reply, struct charle_error *err);\n", method->reply->c_name);
    else
        charle_buf_printf(out, "struct charle_stream *stream, // of struct %s\n    struct charle_error *err);\n",
                          method->reply->c_name);
}

static void handlers_header(struct ch_gen *gen, const struct ch_model_file *file)
{
    const char *name = ch_text(gen->run, "%s.handlers.charle.h", file->stem);
    struct charle_buf *out = ch_output_open(gen, name);

    ch_out_head(out, file->name);
    charle_buf_add_text(
        out,
        "//\n// The functions that the hand-written services of this file consist of. The developer writes them; see\n"
        "// charle_unary_handler and charle_stream_handler in call/method.h for what they may do.\n");
    ch_out_guard_open(gen, out, name);
    charle_buf_printf(out, "#include \"%s.charle.h\"\n", file->stem);
    for (size_t i = 0; i < gen->model.service_count; i++) {
        const struct ch_model_service *service = gen->model.services[i];

        if (service->file != file || service->table)
            continue;
        charle_buf_printf(out, "\n// %s\n", service->full_name);
        for (size_t j = 0; j < service->method_count; j++)
            handler_type(out, &service->methods[j]);
        charle_buf_printf(out, "extern const struct charle_service %s;\n", ch_out_service_symbol(gen->run, service));
    }
    ch_out_guard_close(out);
}

static void thunk(struct charle_buf *out, const struct ch_model_method *method)
{
    bool is_unary = method->streaming == CHARLE_UNARY;

    charle_buf_printf(out,
                      "\nstatic enum charle_err run_%s(struct charle_context *context, const void *request,\n    %s, "
                      "struct charle_error *err)\n{\n",
                      method->c_name, is_unary ? "void *reply" : "struct charle_stream *stream");
    charle_buf_printf(out, "    return %s(context, request, %s, err);\n}\n", method->c_name,
                      is_unary ? "reply" : "stream");
}

static void bound_service(struct ch_gen *gen, struct charle_buf *out, const struct ch_model_service *service)
{
    foreign_tables(gen, out, service);
    for (size_t i = 0; i < service->method_count; i++)
        thunk(out, &service->methods[i]);
    if (service->method_count)
        charle_buf_printf(out, "\nstatic const struct charle_method %s_methods[] = {\n", service->c_name);
    for (size_t i = 0; i < service->method_count; i++) {
        const struct ch_model_method *method = &service->methods[i];

        charle_buf_add_text(out, "    {\n");
        method_members(out, service, method, "        ",
                       ch_text(gen->run, "        .%s = run_%s,\n",
                               method->streaming == CHARLE_UNARY ? "unary" : "stream", method->c_name));
        charle_buf_add_text(out, "    },\n");
    }
    charle_buf_printf(out, "%sconst struct charle_service %s = {\n    .name = CHARLE_STR_INIT(\"%s\")",
                      service->method_count ? "};\n" : "\n", ch_out_service_symbol(gen->run, service),
                      service->full_name);
    if (service->method_count)
        charle_buf_printf(out, ", .methods = %s_methods, .method_count = %zu", service->c_name, service->method_count);
    charle_buf_add_text(out, "};\n");
}

void ch_out_handlers(struct ch_gen *gen, const struct ch_model_file *file)
{
    struct charle_buf *out;

    handlers_header(gen, file);
    out = ch_output_open(gen, ch_text(gen->run, "%s.handlers.charle.c", file->stem));
    ch_out_head(out, file->name);
    charle_buf_printf(out, "#include \"%s.handlers.charle.h\"\n", file->stem);
    for (size_t i = 0; i < gen->model.service_count; i++)
        if (gen->model.services[i]->file == file && !gen->model.services[i]->table)
            bound_service(gen, out, gen->model.services[i]);
}
