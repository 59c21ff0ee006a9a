#include "device/device.h"
#include <math.h>

int t5_relative_bucket(int relative, bool bidirectional, int buckets, int max_distance) {
    int first = 0;
    if (bidirectional) {
        buckets /= 2;
        if (relative > 0)
            first = buckets;
        relative = relative < 0 ? -relative : relative;
    } else {
        relative = relative < 0 ? -relative : 0;
    }
    int exact = buckets / 2; /* distances below this have a bucket of their own */
    if (relative < exact)
        return first + relative;
    float ratio = (float)relative / (float)exact;
    float base = (float)log((double)max_distance / (double)exact);
    float steps = logf(ratio) / base * (float)(buckets - exact);
    int bucket = steps < (float)buckets ? exact + (int)steps : buckets - 1;
    return first + (bucket < buckets ? bucket : buckets - 1);
}
