#include "tools/seed/words.h"

#include <stdio.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

static const char *const first_names[] = {
    "Amara", "Ben",   "Chloe", "Dylan", "Elena", "Finn",  "Grace", "Hassan", "Isla",   "Jonas", "Keira", "Liam",
    "Maya",  "Noah",  "Orla",  "Priya", "Ravi",  "Sofia", "Tomas", "Una",    "Viktor", "Willa", "Yusuf", "Zara",
    "Aiden", "Bea",   "Caleb", "Dina",  "Ewan",  "Freya", "Gus",   "Hana",   "Ivan",   "June",  "Kofi",  "Lena",
    "Marco", "Nadia", "Owen",  "Petra", "Rory",  "Selma", "Theo",  "Vera",   "Wes",    "Xenia", "Yara",  "Zane"};
static const char *const last_names[] = {
    "Abbott", "Bailey",   "Carter", "Dawson",   "Ellis",  "Fletcher",  "Grant",  "Hughes",    "Iqbal",
    "Jensen", "Khan",     "Lawson", "Mitchell", "Novak",  "Osborne",   "Patel",  "Quigley",   "Rhodes",
    "Sharma", "Thompson", "Unwin",  "Vaughan",  "Walsh",  "Xu",        "Young",  "Zielinski", "Archer",
    "Brooks", "Coleman",  "Doyle",  "Emery",    "Foster", "Gallagher", "Harper", "Irving",    "Jackson",
    "Keane",  "Lowe",     "Marsh",  "Nash",     "Okafor", "Price",     "Reid",   "Stone",     "Tanaka",
    "Usher",  "Vance",    "Wells",  "Yates",    "Zimmer", "Ashby"};
static const char *const companies[] = {
    "Northwind", "Harbour",    "Juniper",  "Copperfield", "Brightwater", "Oakhurst",   "Silverline", "Meadow",
    "Kestrel",   "Ironbridge", "Larkspur", "Westgate",    "Fernley",     "Blackthorn", "Summit",     "Tidewater",
    "Orchard",   "Pinnacle",   "Redwood",  "Saltmarsh",   "Thornbury",   "Umbra",      "Verity",     "Willowbrook",
    "Yarrow",    "Zephyr",     "Ashdown",  "Beacon",      "Clover",      "Driftwood",  "Eastfield",  "Foxglove",
    "Granite",   "Hawthorn",   "Inkwell",  "Jasper",      "Kingsway",    "Lantern",    "Marlow",     "Nettle",
    "Ormond",    "Pembroke",   "Quarry",   "Rosewood",    "Sandstone",   "Tamarind",   "Upland",     "Vantage",
    "Wayfarer",  "Yewtree",    "Alder",    "Bramble",     "Cobalt",      "Dovetail",   "Elmwood",    "Falcon",
    "Goldcrest", "Heather",    "Islay",    "Kelso",       "Linden",      "Maple",      "Nimbus",     "Osprey"};
static const char *const kinds[] = {"Bakeries", "Dental",  "Legal",  "Outdoor", "Homes", "Logistics", "Coffee",
                                    "Health",   "Academy", "Travel", "Energy",  "Foods", "Studios"};

const char *seed_first_name(size_t index)
{
    return first_names[index % COUNT(first_names)];
}
const char *seed_last_name(size_t index)
{
    return last_names[index % COUNT(last_names)];
}
const char *seed_company_name(size_t index)
{
    return companies[index % COUNT(companies)];
}
const char *seed_company_kind(size_t index)
{
    return kinds[index % COUNT(kinds)];
}

static const char *const actions[] = {"Add",     "Redesign", "Speed up",  "Fix",      "Rework", "Extend",
                                      "Replace", "Clean up", "Translate", "Simplify", "Track",  "Automate"};
static const char *const objects[] = {
    "saved filters",   "the checkout form", "the booking calendar", "search results",    "the newsletter sign-up",
    "image galleries", "the store locator", "product comparison",   "the cookie notice", "invoice downloads",
    "the menu",        "customer reviews",  "delivery estimates",   "the contact form",  "gift cards",
    "the price list",  "event listings",    "the job board",        "password reset",    "the landing page",
    "order history",   "stock levels",      "the size guide",       "redirects",         "the referral programme"};
static const char *const places[] = {"on the product page",
                                     "for returning customers",
                                     "on small screens",
                                     "in the members' area",
                                     "before the spring campaign",
                                     "in the shop",
                                     "for the German site",
                                     "on the home page",
                                     "in the admin area",
                                     "for wholesale buyers",
                                     "after checkout",
                                     "in the e-mails"};
static const char *const whys[] = {"Visitors leave at this step more often than anywhere else on the site.",
                                   "The support team answers the same question about it several times a day.",
                                   "The present version was built for a much smaller catalogue.",
                                   "It looks out of place since the new brand went live.",
                                   "Two campaigns depend on it, and the first one starts next month.",
                                   "Phones make up most of the traffic and it does not fit their screens.",
                                   "It takes more than four seconds to appear on a slow connection.",
                                   "The client's own team cannot change it without asking us."};
static const char *const whats[] = {"Keep the address of the page as it is and make sure that old links still work.",
                                    "Texts come from the client; the images are in the shared folder.",
                                    "Measure before and after, and leave the figures in a comment here.",
                                    "It must work with a keyboard alone and read well in a screen reader.",
                                    "Start with the approved design and ask when a state is missing.",
                                    "Put it behind a switch, so that it can go live on the agreed day.",
                                    "The tracking events stay the same; only their labels change."};
static const char *const ends[] = {"", " Ask the project manager before touching the checkout.",
                                   " See the quote for what is not included.",
                                   " The client wants to see it on staging first."};

size_t seed_task_title(struct seed_random *random, char out[160])
{
    const char *action = SEED_PICK(random, actions);
    const char *object = SEED_PICK(random, objects);
    const char *place = SEED_PICK(random, places);

    return (size_t)snprintf(out, 160, "%s %s %s", action, object, place);
}

size_t seed_task_description(struct seed_random *random, char out[512])
{
    const char *why = SEED_PICK(random, whys);
    const char *what = SEED_PICK(random, whats);
    const char *end = SEED_PICK(random, ends);

    return (size_t)snprintf(out, 512, "%s %s%s", why, what, end);
}

const char *seed_goal(struct seed_random *random)
{
    static const char *const goals[] = {"Sell more of what is in stock",
                                        "Fewer calls to the support team",
                                        "A page that the sales team is proud to show",
                                        "Be found by people nearby",
                                        "Make booking possible in under a minute",
                                        "Bring the site in line with the new brand",
                                        "Let customers help themselves"};
    return SEED_PICK(random, goals);
}

const char *seed_comment(struct seed_random *random, bool is_for_client)
{
    static const char *const internal[] = {
        "The estimate holds if we can reuse the component from last year.",
        "Waiting for the texts; I will chase them tomorrow.",
        "Found the cause: the cache is shared between languages.",
        "Let us show this in the weekly call before going on.",
        "I moved the second half to next week, the first half is what they need now.",
        "Careful with the old redirects, see the ticket from March."};
    static const char *const client[] = {
        "The first version is on staging, please have a look.", "Thanks, we will pick this up on Monday.",
        "Could you confirm the wording of the headline?", "This is live now. The figures will follow in a week."};
    return is_for_client ? SEED_PICK(random, client) : SEED_PICK(random, internal);
}

const char *seed_ticket_title(struct seed_random *random)
{
    static const char *const titles[] = {
        "The contact form does not send", "Wrong price in the basket",        "Cannot log in to the shop",
        "Please swap the banner image",   "A colleague needs an account",     "The site is slow this morning",
        "Typo on the about page",         "Newsletter went out twice",        "The map shows the old address",
        "Broken link in the footer",      "Export misses last week's orders", "Opening hours over the holidays"};
    return SEED_PICK(random, titles);
}

const char *seed_reply(struct seed_random *random, bool is_from_client)
{
    static const char *const client[] = {"It happens for all of us since this morning.",
                                         "Here is a picture of what I see.", "That works again, thank you!",
                                         "Only in the office; at home it is fine."};
    static const char *const team[] = {"Thank you for telling us, we are looking into it.",
                                       "This is fixed now. Could you check?", "We can do that today.",
                                       "Which browser do you use?", "The change is live."};
    return is_from_client ? SEED_PICK(random, client) : SEED_PICK(random, team);
}

const char *seed_feedback(struct seed_random *random, bool is_fine)
{
    static const char *const fine[] = {"Looks right.", "Checked on phone and desktop.", "Happy with this.",
                                       "All cases pass."};
    static const char *const not_fine[] = {"The spacing on phones is off.", "The empty state is missing.",
                                           "The total is wrong when a voucher is used.", "Please use the larger logo.",
                                           "It fails when the form is sent twice."};
    return is_fine ? SEED_PICK(random, fine) : SEED_PICK(random, not_fine);
}

const char *seed_note(struct seed_random *random)
{
    static const char *const notes[] = {"First pass",         "Paired on the tricky part",
                                        "Tests and clean-up", "Small screens",
                                        "Review comments",    "Talked it through with the client"};
    return SEED_PICK(random, notes);
}
