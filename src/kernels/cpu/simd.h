// What every Highway file of this folder sets before it includes foreach_target.h: no instruction sets whose
// vectors have no size at compile time, because the kernels keep arrays of vectors. The names on the right
// get their meaning in Highway's own header, which takes the list as it finds it: so it comes second.
#pragma once

#define HWY_DISABLED_TARGETS (HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128 | HWY_RVV)

#include <hwy/detect_targets.h>
