// Products in whole numbers of 8 bits over whole models: how far the stations may be from transformers' then.
// docs/numerics.md states the same bounds. Goldens and models are those of stations_test.cc.
#include <gtest/gtest.h>

#include <cmath>
#include <string>

#include "inspect/verify.h"
#include "kernels/kernels.h"
#include "models/registry.h"
#include "support/devices.h"

namespace galago {
namespace {

constexpr double kFeatureBound = 0.12;  // of the largest number
constexpr double kLogitBound = 0.2;     // of the largest number

class Int8Stations : public testing::TestWithParam<const char*> {};

TEST_P(Int8Stations, StayNearTheReference) {
  const std::string data = std::string(GALAGO_TEST_DATA) + "/";
  for (const test::Backend backend : {test::Backend::reference, test::Backend::cpu}) {
    ModelOptions options;
    options.numbers.compute = ComputeDtype::int8;
    options.resizer = pillow_resizer(golden_pillow(data + "goldens/" + GetParam()));
    options.device = test::shared_device(backend);
    const auto frontend = load_frontend(data + "models/" + GetParam(), options);
    const Checkpoint checkpoint = frontend->files().checkpoint();
    const auto engine = frontend->load_engine(checkpoint);
    double features = 0;
    for (const StationResult& r : verify(*frontend, *engine, data + "goldens/" + GetParam())) {
      if (r.station == "generated_ids") continue;
      const bool is_logits = r.station == "logits";
      const bool is_floats = is_logits || r.limit == 1e-4;
      if (is_floats)
        EXPECT_LE(r.max_rel, is_logits ? kLogitBound : kFeatureBound) << r.station;
      else
        EXPECT_TRUE(r.holds) << r.station;
      if (r.station == "vision_last_hidden_state") features = r.max_rel;
    }
    EXPECT_GT(features, 1e-4) << "nothing was rounded";
  }
}

INSTANTIATE_TEST_SUITE_P(Models, Int8Stations, testing::Values("smolvlm_tiles", "grid25_llama3"),
                         [](const auto& test) { return std::string(test.param); });

}  // namespace
}  // namespace galago
