// A text model that transformers saved with bitsandbytes' nf4 against transformers' golden of it.
#include <gtest/gtest.h>

#include "golden_case.h"

namespace galago {
namespace {

TEST(Prequantised, AgreesWithTransformers) {
  for (const auto backend : {kernels::Backend::reference, kernels::Backend::cpu})
    test::expect_golden({"text_nf4", "text_nf4", 4, backend});
}

}  // namespace
}  // namespace galago
