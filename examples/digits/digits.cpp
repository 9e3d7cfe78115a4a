// SPDX-License-Identifier: MIT
// Handwritten digits with and without batching: the library's main example. It measures what
// batching gains on this machine, and fails if it changes a single answer.
#include "backend.hpp"
#include "digits_data.hpp"
#include "experiment.hpp"
#include "options.hpp"
#include "report.hpp"

#include <algorithm>
#include <cstdio>
#include <exception>
#include <memory>
#include <string>
#include <thread>
#include <utility>

namespace digits {
namespace {

using File = std::unique_ptr<std::FILE, int (*)(std::FILE*)>;

/// Opened before the measurements: a bad path should not cost a minute.
File open_json(const std::filesystem::path& path) {
  File file(std::fopen(path.string().c_str(), "w"), &std::fclose);
  if (!file)
    throw UsageError("--json must be a file that can be written, got '" + path.string() + "'");
  return file;
}

Testbed load_testbed(const Options& options) {
  const Network network = load_network(options.data / "digits_mlp.bin");
  Testbed testbed{options.backend == BackendKind::onednn
                      ? make_onednn_backend(network, options.serving.max_batch)
                      : make_packed_backend(network),
                  load_images(options.data / "digits_images.bin"),
                  {}};
  const Predict predict = testbed.backend.make_predict();
  for (const Image& image : testbed.test.images) {
    predict({&image, 1}, {&testbed.reference.emplace_back(), 1});
  }
  return testbed;
}

int run(const Options& options) {
  const Testbed testbed = load_testbed(options);
  const File json = options.json ? open_json(*options.json) : File(nullptr, &std::fclose);
  const Plan plan{.load = options.load,
                  .serving = options.serving,
                  .limit = options.limit,
                  .rounds = options.rounds,
                  .cores = std::max(1U, std::thread::hardware_concurrency()),
                  .show_progress = !options.quiet};
  const Findings findings = run_experiment(testbed, plan);

  if (!options.quiet) print_report(stdout, testbed, plan, findings);
  if (json) {
    write_json(json.get(), testbed, plan, findings);
    if (std::fflush(json.get()) != 0 || std::ferror(json.get()) != 0) {
      throw UsageError("--json: '" + options.json->string() + "' could not be written");
    }
  }
  if (!findings.correct()) {
    std::fprintf(stderr,
                 "digits: FAILED: %llu answers differ from the unbatched ones, %llu requests got "
                 "none, accuracy %.2f %% (at least %.0f %% expected)\n",
                 static_cast<unsigned long long>(findings.mismatches),
                 static_cast<unsigned long long>(findings.failures), 100.0 * findings.accuracy,
                 100.0 * kMinAccuracy);
    return 1;
  }
  return 0;
}

}  // namespace
}  // namespace digits

int main(int argc, char** argv) {
  try {
    const digits::Options options = digits::parse_options({argv + 1, argv + std::max(argc, 1)});
    if (options.help) {
      std::fputs(digits::usage().c_str(), stdout);
      return 0;
    }
    return digits::run(options);
  } catch (const digits::UsageError& error) {
    std::fprintf(stderr, "digits: %s\n", error.what());
    return 2;
  } catch (const digits::DataError& error) {
    std::fprintf(stderr, "digits: %s\n", error.what());
    return 2;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "digits: %s\n", error.what());
    return 1;
  }
}
