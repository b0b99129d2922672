// The model is made in steps, each of which may rely on the ones before.
#include "gen.h"
#include "options.h"

void ch_model_read(struct ch_gen *gen, const ChPlugin__Request *request)
{
    struct ch_model *model = &gen->model;

    ch_model_read_files(gen, request);
    ch_model_read_messages(gen);
    ch_model_read_tables(gen);
    ch_model_read_references(gen);
    for (size_t i = 0; i < model->table_count; i++) {
        const Charle__Table *options = ch_model_table_options(gen, model->tables[i]->row);

        if (options)
            ch_model_read_indexes(gen, model->tables[i], options);
    }
    ch_model_read_audiences(gen);
    ch_model_read_services(gen);
    ch_model_make_rows(gen);
    ch_model_read_schema(gen);
    ch_model_check_offline(gen);
    ch_model_check_local(gen);
    ch_model_check_names(gen);
    if (gen->diag.count)
        return; // what follows trusts the model
    ch_model_order_tables(gen);
    ch_model_check_sqlite(gen);
    if (model->schema_name)
        model->hash = ch_model_hash(model, gen->run);
}
