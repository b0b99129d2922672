// SQL of the schema's author. See sql.h.
//
// The parse tree comes as a protobuf message, so one generic walk over protobuf-c's own descriptors sees every node of
// every kind, and only the few that name something are looked at.
#include "sql.h"

#include <pg_query.h>
#include <pg_query/pg_query.pb-c.h>
#include <stdlib.h>

#define CH_SQL_DEPTH_MAX \
    200 // of the parse tree; protoc's and PostgreSQL's own limits lie above, real schemas far below

static const char prefix[] = "select (\n";

struct ch_walk {
    struct ch_gen *gen;
    struct ch_sql *sql;
    int offset;                            // of the author's text within what was parsed
    const PgQuery__ColumnRef *null_tested; // the column that the last IS NULL was about
};

static const char *node_text(const PgQuery__Node *node)
{
    if (node && node->node_case == PG_QUERY__NODE__NODE_STRING)
        return node->string->sval;
    if (node && node->node_case == PG_QUERY__NODE__NODE_A_STAR)
        return "*";
    return "";
}

static void see_column(struct ch_walk *walk, const PgQuery__ColumnRef *node)
{
    struct ch_sql *sql = walk->sql;
    struct ch_sql_name name = {.at = node->location - walk->offset, .is_null_test = walk->null_tested == node};

    if (!node->n_fields)
        return;
    name.name = ch_text(walk->gen->run, "%s", node_text(node->fields[node->n_fields - 1]));
    if (node->n_fields > 1)
        name.qualifier = ch_text(walk->gen->run, "%s", node_text(node->fields[node->n_fields - 2]));
    CH_APPEND(walk->gen->run, sql->columns, sql->column_count, name);
}

static void see_table(struct ch_walk *walk, const PgQuery__RangeVar *node)
{
    struct ch_sql *sql = walk->sql;
    struct ch_sql_name name = {.name = ch_text(walk->gen->run, "%s", node->relname),
                               .at = node->location - walk->offset};

    if (node->schemaname && *node->schemaname)
        name.qualifier = ch_text(walk->gen->run, "%s", node->schemaname);
    CH_APPEND(walk->gen->run, sql->tables, sql->table_count, name);
}

static void see_function(struct ch_walk *walk, const PgQuery__FuncCall *node)
{
    struct ch_sql *sql = walk->sql;
    struct ch_sql_name name = {.at = node->location - walk->offset};

    if (!node->n_funcname)
        return;
    name.name = ch_text(walk->gen->run, "%s", node_text(node->funcname[node->n_funcname - 1]));
    CH_APPEND(walk->gen->run, sql->functions, sql->function_count, name);
}

// The walk comes to its argument next.
static void see_null_test(struct ch_walk *walk, const PgQuery__NullTest *node)
{
    if (node->arg && node->arg->node_case == PG_QUERY__NODE__NODE_COLUMN_REF)
        walk->null_tested = node->arg->column_ref;
}

static void see_node(struct ch_walk *walk, const ProtobufCMessage *node)
{
    struct ch_sql *sql = walk->sql;

    if (node->descriptor == &pg_query__column_ref__descriptor)
        see_column(walk, (const PgQuery__ColumnRef *)node);
    else if (node->descriptor == &pg_query__range_var__descriptor)
        see_table(walk, (const PgQuery__RangeVar *)node);
    else if (node->descriptor == &pg_query__func_call__descriptor)
        see_function(walk, (const PgQuery__FuncCall *)node);
    else if (node->descriptor == &pg_query__sub_link__descriptor)
        sql->has_subquery = true;
    else if (node->descriptor == &pg_query__null_test__descriptor)
        see_null_test(walk, (const PgQuery__NullTest *)node);
    else if (node->descriptor == &pg_query__common_table_expr__descriptor)
        CH_APPEND(walk->gen->run, sql->ctes, sql->cte_count,
                  ch_text(walk->gen->run, "%s", ((const PgQuery__CommonTableExpr *)node)->ctename));
    else if (node->descriptor == &pg_query__param_ref__descriptor) {
        int number = ((const PgQuery__ParamRef *)node)->number;

        sql->param_max = number > sql->param_max ? number : sql->param_max;
    }
}

static void walk_tree(struct ch_walk *walk, const ProtobufCMessage *node, int depth);

static void walk_member(struct ch_walk *walk, const ProtobufCMessage *node, const ProtobufCFieldDescriptor *field,
                        int depth)
{
    const char *member = (const char *)node + field->offset;

    if (field->type != PROTOBUF_C_TYPE_MESSAGE)
        return;
    if (field->label == PROTOBUF_C_LABEL_REPEATED) {
        size_t count = *(const size_t *)(const void *)((const char *)node + field->quantifier_offset);
        ProtobufCMessage *const *items = *(ProtobufCMessage *const *const *)(const void *)member;

        for (size_t i = 0; i < count; i++)
            walk_tree(walk, items[i], depth + 1);
    } else if (!(field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) ||
               *(const uint32_t *)(const void *)((const char *)node + field->quantifier_offset) == field->id) {
        walk_tree(walk, *(ProtobufCMessage *const *)(const void *)member, depth + 1);
    }
}

static void walk_tree(struct ch_walk *walk, const ProtobufCMessage *node, int depth)
{
    if (!node || depth > CH_SQL_DEPTH_MAX)
        return;
    see_node(walk, node);
    for (unsigned i = 0; i < node->descriptor->n_fields; i++)
        walk_member(walk, node, &node->descriptor->fields[i], depth);
}

// Parses; the caller frees the tree with pg_query__parse_result__free_unpacked. NULL after an error was reported.
static PgQuery__ParseResult *parse(struct ch_gen *gen, const char *whole, int offset, struct ch_place place,
                                   const char *what)
{
    PgQueryProtobufParseResult result = pg_query_parse_protobuf(whole);
    PgQuery__ParseResult *tree = NULL;

    if (result.error) {
        int at = result.error->cursorpos - offset;

        if (at > 0 && (size_t)at <= strlen(whole) - (size_t)offset)
            ch_error(gen, place, "%s is not valid SQL: %s (character %d); write PostgreSQL's syntax", what,
                     result.error->message, at);
        else
            ch_error(gen, place, "%s is not valid SQL: %s; write PostgreSQL's syntax", what, result.error->message);
    } else {
        tree = pg_query__parse_result__unpack(NULL, result.parse_tree.len, (const uint8_t *)result.parse_tree.data);
        if (!tree)
            ch_error(gen, place, "%s is too deeply nested to be read; write it simpler", what);
    }
    pg_query_free_protobuf_parse_result(result);
    return tree;
}

static const PgQuery__SelectStmt *only_select(const PgQuery__ParseResult *tree)
{
    if (tree->n_stmts != 1 || !tree->stmts[0]->stmt ||
        tree->stmts[0]->stmt->node_case != PG_QUERY__NODE__NODE_SELECT_STMT)
        return NULL;
    return tree->stmts[0]->stmt->select_stmt;
}

// Whether the select is "select (<one expression>)" and nothing more: nothing in the text closed our parenthesis.
static const PgQuery__Node *only_expression(const PgQuery__ParseResult *tree)
{
    const PgQuery__SelectStmt *select = only_select(tree);

    if (!select || select->n_target_list != 1 || select->n_from_clause || select->where_clause ||
        select->n_sort_clause || select->larg || select->limit_count || select->n_group_clause)
        return NULL;
    if (select->target_list[0]->node_case != PG_QUERY__NODE__NODE_RES_TARGET ||
        *select->target_list[0]->res_target->name)
        return NULL;
    return select->target_list[0]->res_target->val;
}

static void see_constant(struct ch_gen *gen, struct ch_sql *sql, const PgQuery__Node *value)
{
    if (value && value->node_case == PG_QUERY__NODE__NODE_TYPE_CAST)
        value = value->type_cast->arg;
    if (!value || value->node_case != PG_QUERY__NODE__NODE_A_CONST)
        return;
    sql->is_constant = true;
    if (value->a_const->val_case == PG_QUERY__A__CONST__VAL_SVAL)
        sql->constant = ch_text(gen->run, "%s", value->a_const->sval->sval);
}

bool ch_sql_read_expression(struct ch_gen *gen, const char *text, struct ch_place place, const char *what,
                            struct ch_sql *out)
{
    struct ch_walk walk = {.gen = gen, .sql = out, .offset = (int)sizeof prefix - 1};
    PgQuery__ParseResult *tree = parse(gen, ch_text(gen->run, "%s%s\n)", prefix, text), walk.offset, place, what);
    const PgQuery__Node *value = tree ? only_expression(tree) : NULL;

    *out = (struct ch_sql){.text = text};
    if (value) {
        see_constant(gen, out, value);
        walk_tree(&walk, &tree->base, 0);
    } else if (tree) {
        ch_error(gen, place, "%s must be one expression and nothing more", what);
    }
    if (tree)
        pg_query__parse_result__free_unpacked(tree, NULL);
    return value != NULL;
}

bool ch_sql_read_query(struct ch_gen *gen, const char *text, struct ch_place place, const char *what,
                       struct ch_sql *out)
{
    struct ch_walk walk = {.gen = gen, .sql = out};
    PgQuery__ParseResult *tree = parse(gen, text, 0, place, what);
    bool is_query = tree && only_select(tree);

    *out = (struct ch_sql){.text = text};
    if (is_query)
        walk_tree(&walk, &tree->base, 0);
    else if (tree)
        ch_error(gen, place, "%s must be one SELECT", what);
    if (tree)
        pg_query__parse_result__free_unpacked(tree, NULL);
    return is_query;
}

bool ch_sql_read_row_expression(struct ch_gen *gen, const char *text, struct ch_place place, const char *what,
                                const struct ch_model_table *table, struct ch_sql *out, struct charle_column_set *used)
{
    bool is_good;

    if (!ch_sql_read_expression(gen, text, place, what, out))
        return false;
    is_good = !out->has_subquery && !out->param_max;
    if (!is_good)
        ch_error(gen, place, "%s may look at its own row only; leave out %s", what,
                 out->has_subquery ? "the subquery" : "the parameter");
    for (size_t i = 0; i < out->column_count; i++) {
        const struct ch_sql_name *name = &out->columns[i];
        const struct ch_model_column *column = ch_model_find_column(table, name->name);

        if (!column || (name->qualifier && strcmp(name->qualifier, table->name) != 0)) {
            ch_error(gen, place, "%s names %s%s%s, which is no column of %s; its columns are %s", what,
                     name->qualifier ? name->qualifier : "", name->qualifier ? "." : "", name->name, table->name,
                     ch_model_column_names(gen, table));
            is_good = false;
        } else if (used) {
            ch_column_set_add(used, column->index);
        }
    }
    return is_good;
}

// --- carrying a text over -------------------------------------------------------------------------------------------

struct ch_edit { // replace `size` bytes at `at`
    int at;
    size_t size;
    const char *with;
};

static int compare_edits(const void *left, const void *right)
{
    const struct ch_edit *a = left, *b = right;

    return (a->at > b->at) - (a->at < b->at);
}

static const char *apply_edits(struct ch_gen *gen, const char *text, struct ch_edit *edits, size_t count)
{
    struct charle_buf out = {0};
    size_t done = 0;

    if (count)
        qsort(edits, count, sizeof *edits, compare_edits);
    for (size_t i = 0; i < count; i++) {
        charle_buf_add(&out, text + done, (size_t)edits[i].at - done);
        charle_buf_add_text(&out, edits[i].with);
        done = (size_t)edits[i].at + edits[i].size;
    }
    charle_buf_add_text(&out, text + done);
    return ch_text_take(gen->run, &out);
}

const char *ch_sql_with_alias(struct ch_gen *gen, const struct ch_sql *sql, const char *alias)
{
    struct ch_edit *edits = CH_NEW_ARRAY(gen->run, sql->column_count, struct ch_edit);
    const char *with = ch_text(gen->run, "%s.", alias);
    size_t count = 0;

    for (size_t i = 0; i < sql->column_count; i++) {
        const struct ch_sql_name *name = &sql->columns[i];
        const char *dot = name->qualifier ? strchr(sql->text + name->at, '.') : NULL;
        size_t size = dot ? (size_t)(dot + 1 - (sql->text + name->at)) : 0;

        edits[count++] = (struct ch_edit){name->at, size, with};
    }
    return apply_edits(gen, sql->text, edits, count);
}

// The end of "name ( )" at a position, or 0 when there are arguments.
static size_t empty_call_size(const char *at, const char *name)
{
    const char *c = at + strlen(name);

    while (*c == ' ')
        c++;
    if (*c++ != '(')
        return 0;
    while (*c == ' ')
        c++;
    return *c == ')' ? (size_t)(c + 1 - at) : 0;
}

const char *ch_sql_for_sqlite(struct ch_gen *gen, const struct ch_sql *sql)
{
    struct ch_edit *edits = CH_NEW_ARRAY(gen->run, sql->function_count, struct ch_edit);
    size_t count = 0;

    for (size_t i = 0; i < sql->function_count; i++) {
        const struct ch_sql_name *name = &sql->functions[i];
        const char *at = sql->text + name->at;

        if (strcmp(name->name, "char_length") == 0 || strcmp(name->name, "character_length") == 0)
            edits[count++] = (struct ch_edit){name->at, strlen(name->name), "length"};
        else if (strcmp(name->name, "now") == 0 && empty_call_size(at, "now"))
            edits[count++] = (struct ch_edit){name->at, empty_call_size(at, "now"), CH_SQLITE_NOW};
    }
    return apply_edits(gen, sql->text, edits, count);
}

void ch_sql_check_same_meaning(struct ch_gen *gen, const struct ch_model_table *table, const struct ch_sql *sql,
                               struct ch_place place, const char *what, const char *write)
{
    for (size_t i = 0; i < sql->column_count; i++) {
        const struct ch_model_column *column = ch_model_find_column(table, sql->columns[i].name);

        if (column && !sql->columns[i].is_null_test && (column->type == CHARLE_TYPE_NUMERIC || column->is_array))
            ch_error(gen, place, "%s uses column %s, which SQLite keeps as text (%s) and would compare as such; add %s",
                     what, column->name, column->is_array ? "a JSON array" : "a decimal", write);
    }
}
