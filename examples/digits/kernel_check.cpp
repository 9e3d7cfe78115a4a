// SPDX-License-Identifier: MIT
// Checks the packed kernel alone: its answers do not depend on the batch, and they are good ones.
// Exit code 0 if all is well, 1 if not, 2 if the data cannot be read.
#include "digits_data.hpp"
#include "packed_mlp.hpp"

#include <cmath>
#include <cstdio>
#include <filesystem>

namespace digits {
namespace {

constexpr std::size_t kLargestBatch = 70;
constexpr double kMinAccuracy = 0.97;

/// The network by the definition of a layer, in double precision: slow and obvious.
std::array<double, kClasses> plain_logits(const Network& network, const Image& image) {
  std::vector<double> x(image.begin(), image.end());
  for (const Layer& layer : network) {
    std::vector<double> y(layer.bias.begin(), layer.bias.end());
    for (std::size_t input = 0; input < layer.inputs; ++input) {
      for (std::size_t output = 0; output < layer.outputs; ++output) {
        y[output] += x[input] * double{layer.weights[input * layer.outputs + output]};
      }
    }
    if (&layer != &network.back()) {
      for (double& value : y) value = std::max(value, 0.0);
    }
    x = y;
  }
  std::array<double, kClasses> logits;
  std::copy(x.begin(), x.end(), logits.begin());
  return logits;
}

int run(const std::filesystem::path& data) {
  const Network network = load_network(data / "digits_mlp.bin");
  const LabelledImages test = load_images(data / "digits_images.bin");
  const PackedMlp model(network);
  const std::size_t count = test.images.size();

  PackedMlp::Scratch scratch;
  std::vector<Prediction> alone(count);
  std::size_t correct = 0;
  for (std::size_t i = 0; i < count; ++i) {
    model.predict({&test.images[i], 1}, {&alone[i], 1}, scratch);
    correct += alone[i].label == test.labels[i];
  }

  // The batches of each size walk over the images, so that each image meets many positions.
  std::size_t differences = 0;
  std::vector<Image> images;
  std::vector<Prediction> together(kLargestBatch);
  std::size_t next = 0;
  for (std::size_t size = 0; size <= kLargestBatch; ++size) {
    for (std::size_t repeat = 0; repeat < 3; ++repeat) {
      const std::size_t first = next;
      images.clear();
      for (; images.size() < size; ++next) images.push_back(test.images[next % count]);
      model.predict(images, std::span(together).first(size), scratch);
      for (std::size_t i = 0; i < size; ++i) {
        differences += !identical(together[i], alone[(first + i) % count]);
      }
    }
  }

  double largest_error = 0.0;
  for (std::size_t i = 0; i < 10 && i < count; ++i) {
    const auto expected = plain_logits(network, test.images[i]);
    for (std::size_t k = 0; k < kClasses; ++k) {
      const double error = std::abs(double{alone[i].logits[k]} - expected[k]);
      largest_error = std::max(largest_error, error / (1.0 + std::abs(expected[k])));
    }
  }

  const double accuracy = static_cast<double>(correct) / static_cast<double>(count);
  std::printf(
      "%s: accuracy %.2f %%, %zu of %zu logit vectors differ between batch sizes, "
      "relative error against double precision %.1e\n",
      vector_instructions(), 100.0 * accuracy, differences, next, largest_error);
  return differences == 0 && accuracy >= kMinAccuracy && largest_error < 1e-4 ? 0 : 1;
}

}  // namespace
}  // namespace digits

int main(int argc, char** argv) {
  try {
    return digits::run(argc > 1 ? argv[1] : DIGITS_DATA_DIR);
  } catch (const digits::DataError& error) {
    std::fprintf(stderr, "kernel_check: %s\n", error.what());
    return 2;
  }
}
