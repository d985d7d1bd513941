// galago bench: every stage of a model by itself, timed and set against what this machine's processor can do.
// In: a model, perhaps a picture. Out: a table or one JSON object; docs/performance.md explains the columns.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>

#include "bench_tune.h"
#include "commands.h"
#include "console.h"
#include "core/cancelled.h"
#include "core/clock.h"
#include "core/limits.h"
#include "flags.h"
#include "inspect/bench_stages.h"
#include "inspect/inspect.h"
#include "kernels/kernels.h"
#include "kernels/peak.h"
#include "model_path.h"
#include "models/registry.h"
#include "pictures.h"

namespace galago::cli {
namespace {

struct BenchFlags {
  std::string model;
  std::vector<std::string> images;
  std::string prompt = "What is in the picture?";
  std::vector<std::string> only;
  LoadOptions load;  // threads and numbers
  int runs = 5;
  int64_t context = 0;
  int64_t sequences = BenchOptions{}.sequences;
  bool no_split = false;
  bool tune = false;
  bool json = false;
};

/// One stage with the milliseconds of its runs.
struct Measured {
  BenchStage stage;
  Arithmetic arithmetic;  // of its products, as far as the processor has the instruction
  std::vector<double> ms;

  double at(double part) const {
    std::vector<double> sorted = ms;
    std::sort(sorted.begin(), sorted.end());
    const double place = part * static_cast<double>(sorted.size() - 1);
    const auto below = static_cast<size_t>(place);
    const size_t above = std::min(below + 1, sorted.size() - 1);
    return sorted[below] + (place - static_cast<double>(below)) * (sorted[above] - sorted[below]);
  }
  double median() const { return at(0.5); }
  double gflops() const { return stage.cost.flops / median() / 1e6; }
  /// Of the rate of the instruction that the stage's products use.
  double of_peak(const kernels::MachinePeak& peak) const { return gflops() / peak.of(arithmetic); }
  double gb_per_s() const { return stage.cost.bytes / median() / 1e6; }
};

constexpr int kPeakRounds = 12;        // before and after the stages
constexpr double kShortestSample = 5;  // milliseconds: shorter stages are repeated within a sample

void stop_if_interrupted() {
  if (interrupted()) throw Cancelled{};
}

Measured measure(const BenchStage& stage, Arithmetic arithmetic, int runs, StatusLine& status) {
  status.show(stage.name + ": warming up");
  if (stage.warm_up)
    stage.warm_up();
  else
    stage.run();
  Measured measured{.stage = stage, .arithmetic = arithmetic, .ms = {}};
  int repeats = 1;
  while (std::ssize(measured.ms) < runs) {
    stop_if_interrupted();
    status.show(stage.name + ": run " + std::to_string(measured.ms.size() + 1) + " of " +
                std::to_string(runs));
    const Clock clock;
    for (int i = 0; i < repeats; ++i) stage.run();
    const double ms = clock.ms();
    if (ms < kShortestSample && repeats < 1'000'000) {
      repeats *= 1 + static_cast<int>(kShortestSample / std::max(ms, 0.01));
      continue;
    }
    measured.ms.push_back(ms / repeats);
  }
  return measured;
}

std::string fixed(double value, int digits) {
  char text[48];
  std::snprintf(text, sizeof text, "%.*f", digits, value);
  return text;
}

/// "-" for what is not counted.
std::string counted(double value, int digits) { return value > 0 ? fixed(value, digits) : "-"; }

std::string percent(double part, double whole) {
  return part > 0 && whole > 0 ? fixed(100 * part / whole, 0) + " %" : "-";
}

double load_average() {
  double load = 0;
  return getloadavg(&load, 1) == 1 ? load : -1;
}

/// In what a stage's products are made here: what was asked for, where there is an instruction for it.
Arithmetic arithmetic_of(const BenchStage& stage, ComputeDtype compute, const kernels::MachinePeak& peak) {
  if (!stage.many_rows) return Arithmetic::f32;
  if (compute == ComputeDtype::int8 && !stage.of_decoder)
    return peak.int8_gops > 0 ? Arithmetic::int8 : Arithmetic::f32;
  const bool bf16 = compute == ComputeDtype::bf16 || compute == ComputeDtype::int8;
  return bf16 && peak.bf16_gflops > 0 ? Arithmetic::bf16 : Arithmetic::f32;
}

const char* word_of(Arithmetic arithmetic) {
  return arithmetic == Arithmetic::f32 ? "f32" : arithmetic == Arithmetic::bf16 ? "bf16" : "int8";
}

nlohmann::ordered_json peak_json(const kernels::MachinePeak& peak) {
  nlohmann::ordered_json rates = {{"gflops", peak.gflops}, {"gb_per_s", peak.gb_per_s}};
  if (peak.bf16_gflops > 0) rates["bf16_gflops"] = peak.bf16_gflops;
  if (peak.int8_gops > 0) rates["int8_gops"] = peak.int8_gops;
  return rates;
}

std::string peak_text(const kernels::MachinePeak& peak) {
  std::string text = fixed(peak.gflops, 0) + " GFLOP/s in float32";
  if (peak.bf16_gflops > 0) text += ", " + fixed(peak.bf16_gflops, 0) + " in bfloat16";
  if (peak.int8_gops > 0) text += ", " + fixed(peak.int8_gops, 0) + " GOP/s in bytes";
  return text + "; reads " + fixed(peak.gb_per_s, 1) + " GB/s";
}

nlohmann::ordered_json stage_json(const Measured& m, const kernels::MachinePeak& peak) {
  return {{"name", m.stage.name},
          {"work", m.stage.work},
          {"median_ms", m.median()},
          {"min_ms", m.at(0)},
          {"max_ms", m.at(1)},
          {"runs_ms", m.ms},
          {"gflop", m.stage.cost.flops / 1e9},
          {"gb", m.stage.cost.bytes / 1e9},
          {"gflops", m.gflops()},
          {"gb_per_s", m.gb_per_s()},
          {"arithmetic", word_of(m.arithmetic)},
          {"of_peak_gflops", m.of_peak(peak)},
          {"of_peak_gb_per_s", m.gb_per_s() / peak.gb_per_s},
          {"items", m.stage.items},
          {"item", m.stage.item}};
}

std::string to_text(const std::vector<Measured>& stages, const kernels::MachinePeak& peak) {
  std::vector<std::vector<std::string>> rows = {
      {"stage", "work", "median", "min..max", "rate", "GFLOP", "GFLOP/s", "of peak", "GB/s", "of peak"}};
  for (const Measured& m : stages)
    rows.push_back(
        {m.stage.name, m.stage.work, fixed(m.median(), 3) + " ms",
         fixed(m.at(0), 3) + ".." + fixed(m.at(1), 3),
         m.stage.items > 0 ? fixed(m.stage.items / m.median() * 1e3, 1) + " " + m.stage.item + "/s" : "-",
         counted(m.stage.cost.flops / 1e9, 2), counted(m.gflops(), 1),
         percent(m.gflops(), peak.of(m.arithmetic)), counted(m.gb_per_s(), 2),
         percent(m.gb_per_s(), peak.gb_per_s)});
  return table(rows);
}

BenchOptions bench_options(const BenchFlags& flags) {
  BenchOptions options;
  options.prompt = flags.prompt;
  options.context = flags.context;
  options.sequences = flags.sequences;
  options.cache_dtype = cache_dtype(flags.load.kv_cache_dtype);
  if (flags.no_split) options.split = false;
  if (flags.images.size() > 1)
    throw Error(ErrorCode::usage, {.where = "--image",
                                   .got = std::to_string(flags.images.size()) + " pictures",
                                   .expected = "one: a stage is timed with one picture"});
  if (!flags.images.empty()) {
    const PictureBytes picture(flags.images[0]);
    options.image_name = picture.name();
    options.image_file.assign(picture.bytes().begin(), picture.bytes().end());
  }
  options.progress = [](int64_t, int64_t) { return !interrupted(); };
  return options;
}

int run(const BenchFlags& flags) {
  if (flags.tune) return bench_tune(flags.load.threads, flags.json);
  const double load = load_average();
  const ModelOptions model = model_options(flags.load);
  const int threads = model.device->threads();
  const ComputeDtype compute = resolved(flags.load.compute, *model.device);
  catch_interrupt();
  StatusLine status(!flags.json);
  status.show("loading the model");
  const BenchOptions options = bench_options(flags);
  const Clock clock;
  auto loading = std::make_optional<EndsAtOnce>();
  const auto frontend = load_frontend(model_path(flags.model), model);
  const Checkpoint checkpoint = frontend->files().checkpoint();
  const auto engine = frontend->load_engine(checkpoint);
  loading.reset();
  const double load_ms = clock.ms();
  const BenchStages bench(*frontend, checkpoint, *engine, options);
  status.show("measuring the machine's peak");
  const auto go_on = [] { return !interrupted(); };
  kernels::MachinePeak peak = kernels::measure_peak(threads, kPeakRounds, go_on);
  std::vector<Measured> stages;
  for (const BenchStage& stage : bench.stages(flags.only))
    stages.push_back(measure(stage, arithmetic_of(stage, compute, peak), flags.runs, status));
  if (stages.empty())
    throw Error(ErrorCode::usage,
                {.where = "--only", .got = "no stage that this model and these flags have"});
  peak = kernels::better(peak, kernels::measure_peak(threads, kPeakRounds, go_on));
  stop_if_interrupted();
  status.clear();
  if (flags.json) {
    auto rows = nlohmann::ordered_json::array();
    for (const Measured& m : stages) rows.push_back(stage_json(m, peak));
    print_json({{"galago", version()},
                {"model", frontend->files().path().string()},
                {"model_type", frontend->config().model_type},
                {"dtype", stored_types(checkpoint).name},
                {"numbers",
                 {{"dtype", to_string(flags.load.dtype)},
                  {"compute", to_string(compute)},
                  {"mmap", flags.load.mmap},
                  {"kv_cache_dtype", to_string(flags.load.kv_cache_dtype)}}},
                {"backend", model.device->name()},
                {"threads", threads},
                {"load_average", load},
                {"load_ms", load_ms},
                {"peak", peak_json(peak)},
                {"stages", rows}});
    return 0;
  }
  print(frontend->files().path().string() + ": " + frontend->config().model_type + ", " +
        std::to_string(threads) + (threads == 1 ? " thread, " : " threads, ") + model.device->name() +
        ", loaded in " + fixed(load_ms, 0) + " ms\n" + "this machine's peak: " + peak_text(peak) +
        "; load average before: " + fixed(load, 2) + "\n\n" + to_text(stages, peak));
  return 0;
}

}  // namespace

void add_bench(CLI::App& app, Action& action) {
  auto flags = std::make_shared<BenchFlags>();
  CLI::App* command =
      app.add_subcommand("bench", "Time each stage by itself, against what this machine can do");
  add_model(*command, flags->model);
  add_texts(*command, "-i,--image", flags->images,
            "The picture; without one a made picture of 640x480, which needs no decoding")
      ->type_name("FILE");
  command->add_option("-p,--prompt", flags->prompt, "The question")->capture_default_str();
  add_numbers(*command, flags->load);
  add_model_files(*command, flags->load);
  command->add_option("--runs", flags->runs, "Runs of each stage, of which the median counts")
      ->check(CLI::Range(1, 10'000))
      ->capture_default_str();
  command
      ->add_option("--context", flags->context,
                   "Rows of prefill and positions before the decode step; 0: as many as the prompt has")
      ->check(CLI::Range(int64_t{0}, int64_t{1} << 30));
  command
      ->add_option("--sequences", flags->sequences, "Sequences that the decode batch stage decodes together")
      ->check(CLI::Range(int64_t{1}, limits::kBatchSequences))
      ->capture_default_str();
  add_kv_cache_dtype(
      *command, flags->load.kv_cache_dtype,
      "What is kept of each position: f32, or f16 in half the memory, which long contexts read faster");
  add_texts(*command, "--only", flags->only, "Time this stage only; may be given several times")
      ->check(CLI::IsMember(BenchStages::names()));
  command->add_flag("--no-split", flags->no_split, "Encode the picture as one tile");
  command->add_flag(
      "--tune", flags->tune,
      "Time no stage: choose anew which ways of this processor are fastest, keep that and show it");
  command->add_flag("--json", flags->json, "Print one JSON object");
  command->footer(
      "Percentages are of the peak that is measured in the same run, before and after the stages.\n"
      "Example:\n"
      "  galago bench -m HuggingFaceTB/SmolVLM-256M-Instruct --image photo.jpg -t 2\n");
  command->callback([flags, &action] { action = [flags] { return run(*flags); }; });
}

}  // namespace galago::cli
