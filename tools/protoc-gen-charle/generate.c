#include "generate.h"

#include "out.h"
#include "validate.h"

// Options come as "target=charleos_proto,schema=charleos,root=/src/proto".
static void read_parameter(struct ch_gen *gen, const char *parameter)
{
    for (const char *at = parameter; at && *at;) {
        size_t len = strcspn(at, ",");

        if (strncmp(at, "schema=", 7) == 0 && len > 7)
            gen->schema_option = ch_text_n(gen->run, at + 7, len - 7);
        else if (strncmp(at, "root=", 5) == 0 && len > 5)
            gen->diag.root = ch_text_n(gen->run, at + 5, len - 5);
        at += len + (at[len] == ',');
    }
}

static void write_outputs(struct ch_gen *gen)
{
    const struct ch_model *model = &gen->model;

    for (size_t i = 0; i < model->file_count; i++) {
        const struct ch_model_file *file = &model->files[i];

        if (!file->is_generated)
            continue;
        ch_out_header(gen, file);
        ch_out_source(gen, file);
        ch_out_columns(gen, file);
        ch_out_stubs(gen, file);
        if (model->schema_name)
            ch_out_handlers(gen, file);
    }
    if (model->schema_name)
        ch_out_schema(gen);
}

static void fill_response(struct ch_gen *gen, ChPlugin__Response *response)
{
    ChPlugin__Response__File *files = CH_NEW_ARRAY(gen->run, gen->output_count, ChPlugin__Response__File);

    response->file = CH_NEW_ARRAY(gen->run, gen->output_count, ChPlugin__Response__File *);
    response->n_file = gen->output_count;
    for (size_t i = 0; i < gen->output_count; i++) {
        ch_plugin__response__file__init(&files[i]);
        files[i].name = (char *)(uintptr_t)gen->outputs[i]->name;
        files[i].content = (char *)(uintptr_t)charle_buf_text(&gen->outputs[i]->content);
        CHARLE_ASSERT(files[i].content);
        response->file[i] = &files[i];
    }
}

bool ch_generate(struct ch_gen *gen, const ChPlugin__Request *request, ChPlugin__Response *response)
{
    if (!ch_request_is_whole(request))
        return false;
    read_parameter(gen, request->parameter);
    ch_model_read(gen, request);
    if (gen->diag.count)
        return true;
    write_outputs(gen);
    fill_response(gen, response);
    return true;
}

void ch_generate_end(struct ch_gen *gen)
{
    for (size_t i = 0; i < gen->output_count; i++)
        charle_buf_deinit(&gen->outputs[i]->content);
}
