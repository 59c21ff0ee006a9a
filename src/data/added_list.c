#include "data/added_list.h"
#include "data/grow.h"
#include <string.h>

int t5_added_compare(t5_str a, t5_str b) {
    size_t shorter = a.n < b.n ? a.n : b.n;
    int c = shorter ? memcmp(a.s, b.s, shorter) : 0;
    return c ? c : (a.n > b.n) - (a.n < b.n);
}

int t5_added_place(const t5_added_list *t, t5_str text) {
    int lo = 0, hi = t->n;
    while (lo < hi) {
        int mid = lo + (hi - lo) / 2;
        if (t5_added_compare(t->token[mid].text, text) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

t5_added_token *t5_added_find(const t5_added_list *t, t5_str text) {
    int i = t5_added_place(t, text);
    return i < t->n && t5_added_compare(t->token[i].text, text) == 0 ? &t->token[i] : NULL;
}

t5_status t5_added_insert(t5_added_list *t, int place, t5_added_token token, t5_error *err) {
    t5_added_token *grown = t5_grown(t->token, &t->cap, (size_t)t->n + 1, sizeof *grown);
    char *text = malloc(token.text.n + 1);
    if (grown)
        t->token = grown;
    if (!grown || !text) {
        free(text);
        return t5_fail(err, T5_ERR_MEMORY, "out of memory for the tokeniser's added tokens");
    }
    memcpy(text, token.text.s, token.text.n);
    text[token.text.n] = '\0';
    token.text.s = text;
    memmove(grown + place + 1, grown + place, (size_t)(t->n - place) * sizeof *grown);
    grown[place] = token;
    t->n++;
    return T5_OK;
}

void t5_added_list_free(t5_added_list *t) {
    for (int i = 0; i < t->n; i++)
        free((char *)(uintptr_t)t->token[i].text.s);
    free(t->token);
    *t = (t5_added_list){0};
}
