// Plans, clients and their portal people.
#include "tools/seed/words.h"
#include "tools/seed/world.h"

#include <ctype.h>
#include <stdio.h>

static const struct {
    const char *name;
    int hours, pounds;
    bool is_custom, is_active;
} plans[] = {
    {"Starter", 20, 2000, false, true},      {"Growth", 60, 5000, false, true}, {"Scale", 120, 9000, false, true},
    {"Enterprise", 200, 14000, false, true}, {"Charity", 30, 2100, true, true}, {"Launch 2023", 40, 3500, false, false},
};

static void make_plans(struct seed_world *world)
{
    for (size_t i = 0; i < sizeof plans / sizeof *plans; i++) {
        struct seed_plan *plan = SEED_PUSH(world, &world->plans);

        *plan = (struct seed_plan){.name = plans[i].name,
                                   .minutes = plans[i].hours * 60,
                                   .pence = plans[i].pounds * 100,
                                   .is_custom = plans[i].is_custom,
                                   .is_active = plans[i].is_active};
        seed_make_id(&world->random, (world->first - 900) * SEED_DAY_US, plan->id);
    }
}

static const char *slug_of(struct seed_world *world, const char *name)
{
    char slug[100];
    size_t len = 0;

    for (; *name && len + 1 < sizeof slug; name++)
        slug[len++] = isalnum((unsigned char)*name) ? (char)tolower((unsigned char)*name) : '-';
    slug[len] = '\0';
    return seed_text(world, "%s", slug);
}

static int pick_plan(struct seed_world *world)
{
    static const int weighted[] = {0, 0, 0, 1, 1, 1, 1, 2, 2, 3, 4, 5};

    return seed_chance(&world->random, 80) ? SEED_PICK(&world->random, weighted) : -1;
}

static void add_contacts(struct seed_world *world, int index)
{
    struct seed_client *client = &world->clients.items[index];

    client->first_contact = (int)world->contacts.count;
    client->contact_count = seed_between(&world->random, 2, 4);
    for (int i = 0; i < client->contact_count; i++) {
        struct seed_contact *contact = SEED_PUSH(world, &world->contacts);
        size_t name = (size_t)(index * 5 + i);
        const char *first = seed_first_name(name * 11 + 5), *last = seed_last_name(name * 3);

        *contact = (struct seed_contact){.client = index,
                                         .status = i == 3 ? "invited" : "active",
                                         .name = seed_text(world, "%s %s", first, last),
                                         .invited_us = seed_at(world, client->start, 10)};
        contact->email =
            seed_text(world, "%c%d.%s@%s.test", tolower((unsigned char)*first), i, slug_of(world, last), client->slug);
        if (client->archived)
            contact->status = "deactivated";
        seed_make_id(&world->random, contact->invited_us, contact->id);
    }
}

static void name_client(struct seed_world *world, struct seed_client *client, size_t index)
{
    const char *kind = seed_company_kind(index * 5 + index / 64);

    client->name = index ? seed_text(world, "%s %s", seed_company_name(index), kind) : "Northwind Traders";
    if (index >= 64) // the names begin again
        client->name = seed_text(world, "%s %zu", client->name, index / 64 + 1);
    client->slug = slug_of(world, client->name);
}

static void add_client(struct seed_world *world, size_t index)
{
    struct seed_client *client = SEED_PUSH(world, &world->clients);
    static const char *const rags[] = {"green", "green", "green", "green", "amber", "amber", "red"};

    client->start = world->first - seed_between(&world->random, 30, 900);
    client->plan = pick_plan(world);
    name_client(world, client, index);
    seed_make_id(&world->random, client->start * SEED_DAY_US, client->id);
    client->csm = index % 3 == 0 ? 3 : seed_pick_user(world, "csm", 0); // every third one is Cas's
    client->pm = index % 4 == 0 ? 2 : seed_pick_user(world, "pm", 0);
    client->rag = SEED_PICK(&world->random, rags);
    client->rag_note = *client->rag == 'g' ? NULL : "Two deadlines moved last month; call on Friday.";
    client->notes =
        seed_chance(&world->random, 60) ? "Prefers a call to a long message. Invoices go to the office manager." : NULL;
    if (index % 9 == 4 && client->plan >= 0) {
        client->hours_override = world->plans.items[client->plan].minutes + 600;
        client->pence_override = world->plans.items[client->plan].pence + 80000;
    }
    if (index % 13 == 11)
        client->archived = world->today - seed_between(&world->random, 40, 200);
    if (index % 7 == 5 && !client->archived) // joined during the year
        client->start = world->first + seed_between(&world->random, 20, 200);
}

// The first client is the one that Pat of the portal works for.
static void make_northwind(struct seed_world *world)
{
    struct seed_client *client = &world->clients.items[0];
    struct seed_contact *pat = &world->contacts.items[client->first_contact];

    memcpy(client->id, "01J00000000000000NORTHWIND", SEED_ID_SIZE);
    client->plan = 1;
    memcpy(pat->id, "01J00000000000000000000PAT", SEED_ID_SIZE);
    pat->name = "Pat Northwind";
    pat->email = "pat@northwind.test";
}

void seed_make_clients(struct seed_world *world)
{
    make_plans(world);
    for (size_t i = 0; i < world->options.clients && !world->failed; i++) {
        add_client(world, i);
        add_contacts(world, (int)i);
    }
    if (!world->failed)
        make_northwind(world);
}
