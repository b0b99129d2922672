// The ten tables of people and sign-in. Sessions and the like are old ones that nobody can use.
#include "tools/seed/write.h"

#include <stdio.h>

enum charle_err seed_write_tables(struct seed_world *world, const struct seed_table *tables, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct seed_copy copy;
        enum charle_err rc;

        seed_copy_open(&copy, world->pg, tables[i].name, tables[i].columns, world->err);
        tables[i].write(world, &copy);
        rc = seed_copy_close(&copy);
        if (rc)
            return rc;
        world->rows += copy.rows;
    }
    return CHARLE_OK;
}

static const char *const departments[] = {"Development",    "Design", "Quality",   "Project Management",
                                          "Client Success", "Sales",  "Leadership"};
#define DEPARTMENT_COUNT (sizeof departments / sizeof *departments)

static const char *department_id(char out[SEED_ID_SIZE], int index)
{
    snprintf(out, SEED_ID_SIZE, "01J000000000000DEPARTMENT%d", index % 10);
    return out;
}

static void write_departments(struct seed_world *world, struct seed_copy *copy)
{
    char id[SEED_ID_SIZE];

    for (int i = 0; i < (int)DEPARTMENT_COUNT; i++) {
        seed_copy_row(copy);
        seed_copy_text(copy, department_id(id, i));
        seed_copy_text(copy, departments[i]);
        seed_copy_stamps(world, copy, (int64_t)(world->first - 1000) * SEED_DAY_US, 0);
    }
}

static void write_users(struct seed_world *world, struct seed_copy *copy)
{
    char id[SEED_ID_SIZE];

    for (size_t i = 0; i < world->users.count; i++) {
        const struct seed_user *user = &world->users.items[i];
        bool is_there = strcmp(user->status, "active") == 0;

        seed_copy_row(copy);
        seed_copy_text(copy, user->id);
        seed_copy_text(copy, user->name);
        seed_copy_text(copy, user->email);
        seed_copy_bool(copy, is_there);
        seed_copy_text(copy, is_there && i % 4 ? seed_text(world, "/avatars/%s.webp", user->id) : NULL);
        seed_copy_text(copy, user->title);
        seed_copy_text(copy, user->status);
        seed_copy_text(copy, user->work_type);
        seed_copy_text(copy, user->access);
        seed_copy_bool(copy, user->has_capacity);
        seed_copy_bool(copy, user->is_executive);
        seed_copy_text(copy, user->engagement);
        seed_copy_text(copy, department_id(id, user->department));
        seed_copy_text(copy, SEED_REF(world->users, user->reports_to));
        seed_copy_text(copy, is_there ? seed_text(world, "U%07zu", 1000 + i * 37) : NULL);
        seed_copy_text(copy, user->birthday);
        seed_copy_ts_if(copy, is_there, seed_ts((int64_t)user->joined * SEED_DAY_US));
        seed_copy_stamps(world, copy, (int64_t)user->joined * SEED_DAY_US, 0);
    }
}

static void write_contacts(struct seed_world *world, struct seed_copy *copy)
{
    for (size_t i = 0; i < world->contacts.count; i++) {
        const struct seed_contact *contact = &world->contacts.items[i];
        const struct seed_client *client = &world->clients.items[contact->client];
        bool is_invited = strcmp(contact->status, "invited") == 0;
        int32_t seen = client->archived ? client->archived : world->today - (int32_t)(i % 20);

        seed_copy_row(copy);
        seed_copy_text(copy, contact->id);
        seed_copy_text(copy, client->id);
        seed_copy_text(copy, contact->name);
        seed_copy_text(copy, contact->email);
        seed_copy_bool(copy, !is_invited);
        seed_copy_null(copy);
        seed_copy_text(copy, contact->status);
        seed_copy_text(copy, SEED_REF(world->users, client->csm));
        seed_copy_ts(copy, seed_past(world, contact->invited_us));
        seed_copy_ts_if(copy, !is_invited, seed_past(world, seed_at(world, seen, 8)));
        seed_copy_stamps(world, copy, contact->invited_us, 0);
    }
}

static void write_plans(struct seed_world *world, struct seed_copy *copy)
{
    for (size_t i = 0; i < world->plans.count; i++) {
        const struct seed_plan *plan = &world->plans.items[i];

        seed_copy_row(copy);
        seed_copy_text(copy, plan->id);
        seed_copy_text(copy, plan->name);
        seed_copy_int4(copy, plan->minutes);
        seed_copy_int4(copy, plan->pence);
        seed_copy_int4(copy, 1500);
        seed_copy_bool(copy, plan->is_custom);
        seed_copy_bool(copy, plan->is_active);
        seed_copy_stamps(world, copy, (int64_t)(world->first - 900) * SEED_DAY_US, 0);
    }
}

static void write_clients(struct seed_world *world, struct seed_copy *copy)
{
    for (size_t i = 0; i < world->clients.count; i++) {
        const struct seed_client *client = &world->clients.items[i];

        seed_copy_row(copy);
        seed_copy_text(copy, client->id);
        seed_copy_text(copy, client->name);
        seed_copy_text(copy, client->slug);
        seed_copy_text(copy, SEED_REF(world->users, client->csm));
        seed_copy_text(copy, SEED_REF(world->plans, client->plan));
        seed_copy_text(copy, client->archived ? "archived" : "active");
        seed_copy_date(copy, seed_date(client->start));
        seed_copy_text(copy, client->notes);
        seed_copy_int4_if(copy, client->hours_override, client->hours_override);
        seed_copy_int4_if(copy, client->pence_override, client->pence_override);
        seed_copy_text(copy, client->rag);
        seed_copy_text(copy, client->rag_note);
        seed_copy_text(copy, i % 3 ? seed_text(world, "C%07zu", 2000 + i * 53) : NULL);
        seed_copy_text(copy, SEED_REF(world->users, client->pm));
        seed_copy_ts_if(copy, client->archived, seed_ts((int64_t)client->archived * SEED_DAY_US));
        seed_copy_stamps(world, copy, (int64_t)client->start * SEED_DAY_US, (int64_t)client->archived * SEED_DAY_US);
    }
}

static void write_preferences(struct seed_world *world, struct seed_copy *copy)
{
    static const char *const keys[][2] = {{"sidebarCollapsed", "false"},
                                          {"theme", "\"dark\""},
                                          {"notify.review.email", "true"},
                                          {"taskView", "\"board\""}};

    for (size_t i = 0; i < world->users.count; i++)
        for (size_t k = 0; k < 4; k++) {
            if ((i + k) % 3 == 0)
                continue;
            seed_copy_row(copy);
            seed_copy_text(copy, world->users.items[i].id);
            seed_copy_text(copy, keys[k][0]);
            seed_copy_text(copy, keys[k][1]);
            seed_copy_ts(copy, seed_ts(seed_at(world, world->today - (int32_t)(i + k), 9)));
        }
}

static void write_contact_preferences(struct seed_world *world, struct seed_copy *copy)
{
    for (size_t i = 0; i < world->contacts.count; i += 2) {
        seed_copy_row(copy);
        seed_copy_text(copy, world->contacts.items[i].id);
        seed_copy_text(copy, "notify.quote.email");
        seed_copy_text(copy, i % 4 ? "true" : "false");
        seed_copy_ts(copy, seed_ts(seed_at(world, world->today - (int32_t)(i % 90), 9)));
    }
}

// Random hex: the hash of a token that never was.
static const char *dead_token(struct seed_world *world, char out[65])
{
    for (int i = 0; i < 4; i++)
        snprintf(out + 16 * i, 17, "%016llx", (unsigned long long)seed_random_next(&world->random));
    return out;
}

static void write_session(struct seed_world *world, struct seed_copy *copy, const char *person, int32_t day)
{
    int64_t at_us = seed_at(world, day, 8);
    char token[65];

    seed_copy_row(copy);
    seed_copy_new_id(world, copy, at_us);
    seed_copy_text(copy, person);
    seed_copy_text(copy, dead_token(world, token));
    seed_copy_ts(copy, seed_ts(at_us + 7 * SEED_DAY_US));
    seed_copy_text(copy, "192.0.2.10");
    seed_copy_text(copy, "Mozilla/5.0");
    seed_copy_stamps(world, copy, at_us, 0);
}

static void write_sessions(struct seed_world *world, struct seed_copy *copy)
{
    for (size_t i = 0; i < world->users.count; i++)
        if (world->users.items[i].joined < world->first)
            write_session(world, copy, world->users.items[i].id, world->today - 30 - (int32_t)(i % 60));
}

static void write_client_sessions(struct seed_world *world, struct seed_copy *copy)
{
    for (size_t i = 0; i < world->contacts.count; i += 3)
        write_session(world, copy, world->contacts.items[i].id, world->today - 30 - (int32_t)(i % 60));
}

static void write_account(struct seed_world *world, struct seed_copy *copy, const char *person, const char *provider,
                          const char *account, int64_t at_us)
{
    seed_copy_row(copy);
    seed_copy_new_id(world, copy, at_us);
    seed_copy_text(copy, person);
    seed_copy_text(copy, provider);
    seed_copy_text(copy, account);
    seed_copy_text(copy, "openid email profile");
    seed_copy_stamps(world, copy, at_us, 0);
}

static void write_accounts(struct seed_world *world, struct seed_copy *copy)
{
    for (size_t i = 0; i < world->users.count; i++)
        if (strcmp(world->users.items[i].status, "active") == 0)
            write_account(world, copy, world->users.items[i].id, "google", seed_text(world, "1%020zu", i),
                          (int64_t)world->users.items[i].joined * SEED_DAY_US);
}

static void write_client_accounts(struct seed_world *world, struct seed_copy *copy)
{
    for (size_t i = 0; i < world->contacts.count; i++)
        if (strcmp(world->contacts.items[i].status, "invited") != 0)
            write_account(world, copy, world->contacts.items[i].id, "credential", world->contacts.items[i].email,
                          world->contacts.items[i].invited_us);
}

static void write_verification(struct seed_world *world, struct seed_copy *copy, const char *identifier, int32_t day)
{
    int64_t at_us = seed_at(world, day, 8);
    char token[65];

    seed_copy_row(copy);
    seed_copy_new_id(world, copy, at_us);
    seed_copy_text(copy, identifier);
    seed_copy_text(copy, dead_token(world, token));
    seed_copy_ts(copy, seed_ts(at_us + SEED_DAY_US));
    seed_copy_stamps(world, copy, at_us, 0);
}

static void write_verifications(struct seed_world *world, struct seed_copy *copy)
{
    for (int32_t i = 0; i < 5; i++)
        write_verification(world, copy, seed_text(world, "oauth-state-%d", i), world->today - 20 - i);
}

static void write_client_verifications(struct seed_world *world, struct seed_copy *copy)
{
    for (size_t i = 0; i < world->contacts.count; i++)
        if (strcmp(world->contacts.items[i].status, "invited") == 0)
            write_verification(world, copy, world->contacts.items[i].email, world->today - 20 - (int32_t)(i % 30));
}

enum charle_err seed_write_auth(struct seed_world *world)
{
    static const struct seed_table tables[] = {
        {"department", "id, name, created_at, updated_at", write_departments},
        {"user",
         "id, name, email, email_verified, image, job_title, status, work_type, access_level, has_billable_capacity, "
         "has_executive_access, engagement_type, department_id, reports_to_id, slack_user_id, birthday, join_date, "
         "created_at, updated_at",
         write_users},
        {"plan",
         "id, name, monthly_minutes, monthly_cost_pence, pm_deduction_bps, is_custom, is_active, created_at, "
         "updated_at",
         write_plans},
        {"client",
         "id, name, slug, csm_id, plan_id, status, start_date, notes, hours_override_minutes, cost_override_pence, "
         "rag_status, "
         "rag_note, slack_channel_id, pm_id, archived_at, created_at, updated_at",
         write_clients},
        {"client_user",
         "id, client_id, name, email, email_verified, image, status, invited_by_id, invited_at, last_seen_at, "
         "created_at, updated_at",
         write_contacts},
        {"user_preference", "user_id, key, value, updated_at", write_preferences},
        {"client_user_preference", "client_user_id, key, value, updated_at", write_contact_preferences},
        {"session", "id, user_id, token, expires_at, ip_address, user_agent, created_at, updated_at", write_sessions},
        {"account", "id, user_id, provider_id, account_id, scope, created_at, updated_at", write_accounts},
        {"verification", "id, identifier, value, expires_at, created_at, updated_at", write_verifications},
        {"client_session", "id, client_user_id, token, expires_at, ip_address, user_agent, created_at, updated_at",
         write_client_sessions},
        {"client_account", "id, client_user_id, provider_id, account_id, scope, created_at, updated_at",
         write_client_accounts},
        {"client_verification", "id, identifier, value, expires_at, created_at, updated_at",
         write_client_verifications},
    };
    enum charle_err rc = SEED_WRITE_TABLES(world, tables);

    if (rc)
        return rc;
    // A department and its lead refer to each other.
    return seed_sql(world, "update department d set lead_id = (select u.id from \"user\" u where u.department_id = d.id"
                           " and u.status = 'active' order by u.join_date, u.id limit 1)");
}
