// What every table gets without being asked: the messages and the service that proto/charle/rows.proto describes.
#include "gen.h"

static const char *const nobody[] = {NULL};
static const char *const signed_in[] = {"signed_in", NULL};

// Messages of rows.proto itself. The run has them only when a file imports it, so they are named here.
static const struct ch_model_file rows_file = {
    .name = "charle/rows.proto", .stem = "charle/rows", .package = "charle", .c_package = "charle_"};
static const struct ch_model_message list_request = {
    .file = &rows_file, .full_name = "charle.ListRequest", .c_name = "charle_list_request"};
static const struct ch_model_message empty = {
    .file = &rows_file, .full_name = "charle.Empty", .c_name = "charle_empty"};

static struct ch_model_message *new_message(struct ch_gen *gen, const struct ch_model_table *table, const char *suffix,
                                            size_t field_count)
{
    struct ch_model_message *message = CH_NEW(gen->run, struct ch_model_message);
    const struct ch_model_message *other;

    message->file = table->file;
    message->full_name = ch_text(gen->run, "%s%s", table->row->full_name, suffix);
    message->c_name = ch_text(gen->run, "%s_%s", table->c_name, ch_name_lower(gen->run, suffix));
    message->fields = CH_NEW_ARRAY(gen->run, field_count, struct ch_model_field);
    message->is_synthetic = true;
    message->place = table->place;
    other = ch_model_find_message(&gen->model, message->full_name);
    if (other)
        ch_error(gen, other->place, "message %s is generated for table %s; give yours another name", message->full_name,
                 table->name);
    CH_APPEND(gen->run, gen->model.messages, gen->model.message_count, message);
    return message;
}

static void add_field(struct ch_model_message *message, struct ch_model_field field)
{
    message->fields[message->field_count++] = field;
}

static void add_member(struct ch_model_message *message, uint32_t number, const char *name, enum charle_label label,
                       const struct ch_model_message *type)
{
    add_field(message, (struct ch_model_field){.number = number,
                                               .name = name,
                                               .c_name = name,
                                               .type = CHARLE_TYPE_MESSAGE,
                                               .wire = CHARLE_WIRE_MESSAGE,
                                               .label = label,
                                               .message = type,
                                               .place = message->place});
}

static struct ch_model_field optional_field(const struct ch_model_column *column)
{
    struct ch_model_field field = *column->field;

    if (field.label == CHARLE_REQUIRED)
        field.label = CHARLE_OPTIONAL;
    return field;
}

// An insert leaves out what the system fills in: what is generated or has a default.
static bool is_filled_in(const struct ch_model_column *column)
{
    return column->generate != CHARLE_GENERATE_NONE || column->default_pg;
}

static void make_messages(struct ch_gen *gen, struct ch_model_table *table)
{
    struct ch_model_message *patch = new_message(gen, table, "Patch", table->column_count);
    struct ch_model_message *insert = new_message(gen, table, "Insert", table->column_count);
    struct ch_model_message *key = new_message(gen, table, "Key", table->column_count); // not key_count: marks may be too many
    struct ch_model_message *page = new_message(gen, table, "Page", 2);
    struct ch_model_message *update = new_message(gen, table, "Update", 4);
    struct ch_model_message *removal = new_message(gen, table, "Delete", 2);

    for (size_t i = 0; i < table->column_count; i++) {
        const struct ch_model_column *column = &table->columns[i];

        add_field(patch, optional_field(column));
        add_field(insert, is_filled_in(column) ? optional_field(column) : *column->field);
        if (column->is_key) // in order of number; the order within the key is the table's business
            add_field(key, *column->field);
    }
    add_member(page, 1, "rows", CHARLE_REPEATED, patch);
    add_field(page, (struct ch_model_field){.number = 2,
                                            .name = "next",
                                            .c_name = "next",
                                            .type = CHARLE_TYPE_TEXT,
                                            .wire = CHARLE_WIRE_STRING,
                                            .label = CHARLE_OPTIONAL});
    add_member(update, 1, "key", CHARLE_REQUIRED, key);
    add_member(update, 2, "set", CHARLE_REQUIRED, patch);
    add_field(update, (struct ch_model_field){.number = 3,
                                              .name = "mask",
                                              .c_name = "mask",
                                              .type = CHARLE_TYPE_UINT4,
                                              .wire = CHARLE_WIRE_UINT32,
                                              .label = CHARLE_REPEATED});
    add_member(update, 4, "base", CHARLE_OPTIONAL, patch);
    add_member(removal, 1, "key", CHARLE_REQUIRED, key);
    add_member(removal, 2, "base", CHARLE_OPTIONAL, patch);
    table->patch = patch;
    table->insert = insert;
    table->key = key;
    table->page = page;
    table->update = update;
    table->removal = removal;
}

static void add_method(struct ch_gen *gen, struct ch_model_service *service, const char *name, enum charle_crud crud,
                       const struct ch_model_message *request, const struct ch_model_message *reply,
                       const char *const *allow)
{
    struct ch_model_method *method = &service->methods[service->method_count++];
    bool is_read_only = crud == CHARLE_CRUD_GET || crud == CHARLE_CRUD_LIST;

    *method = (struct ch_model_method){
        .name = name,
        .c_name = ch_text(gen->run, "%s_%s", service->c_name, ch_name_lower(gen->run, name)),
        .full_name = ch_text(gen->run, "%s/%s", service->full_name, name),
        .request = request,
        .reply = reply,
        .crud = (uint8_t)crud,
        .is_read_only = is_read_only,
        .is_idempotent = is_read_only,
        .is_offline = service->table->is_offline,
        .allow = (const char **)(uintptr_t)allow,
        .place = service->place,
    };
}

// Rows of a table without audiences are seen by nobody: its Get and List stay closed, so that secrets do not leak by
// default.
static void make_service(struct ch_gen *gen, struct ch_model_table *table)
{
    struct ch_model_service *service = CH_NEW(gen->run, struct ch_model_service);
    const char *const *readers = table->is_replicated ? signed_in : nobody;

    service->file = table->file;
    service->full_name = ch_text(gen->run, "%sService", table->row->full_name);
    service->c_name = ch_text(gen->run, "%s_service", table->c_name);
    service->table = table;
    service->place = table->place;
    service->methods = CH_NEW_ARRAY(gen->run, 5, struct ch_model_method);
    add_method(gen, service, "Create", CHARLE_CRUD_CREATE, table->insert, table->patch, table->allow_create);
    add_method(gen, service, "Get", CHARLE_CRUD_GET, table->key, table->patch, readers);
    add_method(gen, service, "List", CHARLE_CRUD_LIST, &list_request, table->page, readers);
    add_method(gen, service, "Update", CHARLE_CRUD_UPDATE, table->update, table->patch, table->allow_update);
    add_method(gen, service, "Delete", CHARLE_CRUD_DELETE, table->removal, &empty, table->allow_delete);
    table->service = service;
    CH_APPEND(gen->run, gen->model.services, gen->model.service_count, service);
}

void ch_model_make_rows(struct ch_gen *gen)
{
    for (size_t i = 0; i < gen->model.table_count; i++) {
        make_messages(gen, gen->model.tables[i]);
        if (!gen->model.tables[i]->is_local) // the application writes these itself
            make_service(gen, gen->model.tables[i]);
    }
}
