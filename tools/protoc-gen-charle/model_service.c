// Hand-written services and their methods.
#include "gen.h"
#include "options.h"

static const Charle__Method no_options = CHARLE__METHOD__INIT;

static enum charle_streaming streaming_of(const Google__Protobuf__MethodDescriptorProto *pb)
{
    if (pb->client_streaming)
        return pb->server_streaming ? CHARLE_BIDI_STREAM : CHARLE_CLIENT_STREAM;
    return pb->server_streaming ? CHARLE_SERVER_STREAM : CHARLE_UNARY;
}

static const struct ch_model_message *method_message(struct ch_gen *gen, const char *type_name, const char *method,
                                                     struct ch_place place)
{
    const char *name = *type_name == '.' ? type_name + 1 : type_name;
    const struct ch_model_message *message = ch_model_find_message(&gen->model, name);

    if (!message)
        ch_error(gen, place, "method %s uses %s, for which there is no generated C; use a message of the schema",
                 method, name);
    return message;
}

static void check_method(struct ch_gen *gen, const struct ch_model_method *method)
{
    struct ch_place place = ch_place_in(ch_place_in(method->place, CH_AT_METHOD_OPTIONS), CH_OPTION_NUMBER);

    if (method->is_offline && method->streaming != CHARLE_UNARY)
        ch_error(gen, place,
                 "method %s streams and is offline; a queued call has one request and one reply: leave `stream` or "
                 "offline out",
                 method->full_name);
    if (method->streaming == CHARLE_CLIENT_STREAM || method->streaming == CHARLE_BIDI_STREAM)
        ch_error(gen, method->place,
                 "method %s streams its requests, which is not supported; take a repeated field or several calls",
                 method->full_name);
    if (method->is_offline && method->is_read_only)
        ch_error(gen, place, "method %s is offline and read_only; a read has nothing to queue: leave one out",
                 method->full_name);
}

static void read_method(struct ch_gen *gen, const struct ch_model_service *service, struct ch_model_method *method,
                        const Google__Protobuf__MethodDescriptorProto *pb, struct ch_place place)
{
    const Charle__Method *options =
        ch_option_read(gen, pb->options ? &pb->options->base : NULL, &charle__method__descriptor,
                       ch_place_in(ch_place_in(place, CH_AT_METHOD_OPTIONS), CH_OPTION_NUMBER));

    options = options ? options : &no_options;
    *method = (struct ch_model_method){
        .name = pb->name,
        .c_name = ch_text(gen->run, "%s_%s", service->c_name, ch_name_snake(gen->run, pb->name)),
        .full_name = ch_text(gen->run, "%s/%s", service->full_name, pb->name),
        .request = method_message(gen, pb->input_type, pb->name, place),
        .reply = method_message(gen, pb->output_type, pb->name, place),
        .streaming = streaming_of(pb),
        .is_read_only = options->read_only,
        .is_idempotent = options->idempotent || options->read_only,
        .is_offline = options->offline,
        .deadline_ms = options->deadline_ms,
        .place = place,
    };
    for (size_t i = 0; i < options->n_allow; i++) {
        if (!method->allow)
            method->allow = CH_NEW_ARRAY(gen->run, options->n_allow + 1, const char *);
        method->allow[i] = options->allow[i];
    }
    check_method(gen, method);
    ch_model_read_uses(gen, method, options);
}

static void check_service_name(struct ch_gen *gen, const struct ch_model_service *service)
{
    for (size_t i = 0; i < gen->model.table_count; i++) {
        const struct ch_model_table *table = gen->model.tables[i];

        if (strcmp(ch_text(gen->run, "%sService", table->row->full_name), service->full_name) == 0)
            ch_error(gen, service->place, "service %s is generated for table %s; name yours %sOperations, for instance",
                     service->full_name, table->name, table->row->full_name);
    }
}

static void read_service(struct ch_gen *gen, const struct ch_model_file *file, const ch_pb_service *pb,
                         struct ch_place place)
{
    struct ch_model_service *service = CH_NEW(gen->run, struct ch_model_service);

    service->file = file;
    service->full_name = *file->package ? ch_text(gen->run, "%s.%s", file->package, pb->name) : pb->name;
    service->c_name = ch_name_c(gen->run, service->full_name);
    service->place = place;
    service->methods = CH_NEW_ARRAY(gen->run, pb->n_method, struct ch_model_method);
    service->method_count = pb->n_method;
    for (size_t i = 0; i < pb->n_method; i++)
        read_method(gen, service, &service->methods[i], pb->method[i], ch_place_at(place, CH_AT_SERVICE_METHOD, i));
    check_service_name(gen, service);
    CH_APPEND(gen->run, gen->model.services, gen->model.service_count, service);
}

void ch_model_read_services(struct ch_gen *gen)
{
    for (size_t f = 0; f < gen->model.file_count; f++) {
        const struct ch_model_file *file = &gen->model.files[f];
        const ch_pb_file *pb = file->descriptor;
        struct ch_place place = {.file = pb};

        for (size_t i = 0; file->is_generated && i < pb->n_service; i++)
            read_service(gen, file, pb->service[i], ch_place_at(place, CH_AT_FILE_SERVICE, i));
    }
}
