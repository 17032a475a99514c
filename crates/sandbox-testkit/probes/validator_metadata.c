// The checks of the metadata service: what it says of the pod and of each of its apps, and that it
// confirms what it has signed.
#include "validator.h"

#include <ctype.h>

#define JSON "application/json"
#define TEXT "text/plain; charset=us-ascii"
#define CONTENT "An old farmer & his wife = 2 + a cow"

static bool is_text(const char *value, const char *expected)
{
    char *text = json_text(value);
    bool same = text && !strcmp(text, expected);
    free(text);
    return same;
}

// The value of an annotation, NULL where a list hasn't it.
static char *annotation(const char *list, const char *name)
{
    for (const char *item = json_first(list); item; item = json_next(item))
        if (is_text(json_member(item, "name"), name))
            return json_text(json_member(item, "value"));
    return NULL;
}

static size_t count(const char *list)
{
    size_t items = 0;
    for (const char *item = json_first(list); item; item = json_next(item))
        items++;
    return items;
}

// Checks a list of annotations against those that the pod has, and the image's that it has not.
static void same_annotations(const char *entry, const char *got, const char *image, const char *pod)
{
    size_t expected = 0;
    const char *lists[] = {pod, image};
    for (int list = 0; list < 2; list++)
        for (const char *item = json_first(lists[list]); item; item = json_next(item)) {
            char *name = json_text(json_member(item, "name"));
            char *of_pod = name ? annotation(pod, name) : NULL;
            if (lists[list] == pod || !of_pod) {
                char *value = json_text(json_member(item, "value"));
                char *found = name ? annotation(got, name) : NULL;
                expected++;
                if (!name || !value || !found || strcmp(found, value))
                    fail("%s: %s is %s, should be %s", entry, name ? name : "(no name)",
                         found ? found : "missing", value ? value : "(no value)");
                free(value);
                free(found);
            }
            free(of_pod);
            free(name);
        }
    if (count(got) != expected)
        fail("%s: there are %zu, should be %zu", entry, count(got), expected);
}

static void check_annotations(const char *entry, const char *image, const char *pod)
{
    char *body = ask(entry, NULL, JSON);
    const char *list = body ? json_document(body) : NULL;
    if (body && (!list || *list != '['))
        fail("%s: is no list of annotations", entry);
    else if (body)
        same_annotations(entry, list, image, pod);
    free(body);
}

// A manifest: an object of this kind.
static char *manifest(const char *entry, const char *kind)
{
    char *body = ask(entry, NULL, JSON);
    if (!body || is_text(json_member(json_document(body), "acKind"), kind))
        return body;
    fail("%s: is no JSON of acKind %s", entry, kind);
    free(body);
    return NULL;
}

// Groups of digits, in lower case, as RFC 4122 writes one.
static bool is_uuid(const char *text)
{
    static const char form[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
    if (strlen(text) != strlen(form))
        return false;
    for (size_t at = 0; form[at]; at++) {
        bool digit = isxdigit((unsigned char)text[at]) && !isupper((unsigned char)text[at]);
        if (form[at] == '-' ? text[at] != '-' : !digit)
            return false;
    }
    return true;
}

static char *entry_of(const char *app, const char *entry)
{
    char *path = NULL;
    if (asprintf(&path, "apps/%s/%s", app, entry) < 0)
        need(NULL);
    return path;
}

static void check_app(const char *app, const char *name)
{
    char *entry = entry_of(name, "image/manifest"), *image = manifest(entry, "ImageManifest");
    free(entry);
    entry = entry_of(name, "image/id");
    char *id = ask(entry, NULL, TEXT);
    if (id && strncmp(id, "sha512-", strlen("sha512-")))
        fail("%s: is %s, should begin with sha512-", entry, id);
    else if (id && !is_text(json_member(json_member(app, "image"), "id"), id))
        fail("%s: is %s, which is not what the pod's manifest says", entry, id);
    free(id);
    free(entry);
    if (!image)
        return;
    entry = entry_of(name, "annotations");
    check_annotations(entry, json_member(json_document(image), "annotations"),
                      json_member(app, "annotations"));
    free(entry);
    free(image);
}

// For a form: letters and digits as they are.
static char *encoded(const char *text)
{
    char *result = need(malloc(3 * strlen(text) + 1)), *to = result;
    for (; *text; text++)
        if (isalnum((unsigned char)*text))
            *to++ = *text;
        else
            to += sprintf(to, "%%%02X", (unsigned char)*text);
    *to = 0;
    return result;
}

static void check_signature(const char *uuid)
{
    char *content = encoded(CONTENT), *form = NULL;
    if (asprintf(&form, "content=%s", content) < 0)
        need(NULL);
    char *signature = ask("pod/hmac/sign", form, TEXT);
    free(form);
    if (signature) {
        char *signed_by = encoded(signature);
        if (asprintf(&form, "content=%s&uid=%s&signature=%s", content, uuid, signed_by) < 0)
            need(NULL);
        free(ask("pod/hmac/verify", form, NULL));
        free(form);
        free(signed_by);
    }
    free(signature);
    free(content);
}

void check_metadata(void)
{
    if (!getenv("AC_METADATA_URL")) {
        fail("AC_METADATA_URL: is not set");
        return;
    }
    char *body = manifest("pod/manifest", "PodManifest"), *uuid = ask("pod/uuid", NULL, TEXT);
    if (uuid && !is_uuid(uuid))
        fail("pod/uuid: is %s, should be a UUID", uuid);
    if (body) {
        const char *pod = json_document(body), *apps = json_member(pod, "apps");
        check_annotations("pod/annotations", NULL, json_member(pod, "annotations"));
        if (!json_first(apps))
            fail("pod/manifest: has no apps");
        for (const char *app = json_first(apps); app; app = json_next(app)) {
            char *name = json_text(json_member(app, "name"));
            if (name)
                check_app(app, name);
            else
                fail("pod/manifest: an app has no name");
            free(name);
        }
    }
    if (uuid)
        check_signature(uuid);
    free(uuid);
    free(body);
}
