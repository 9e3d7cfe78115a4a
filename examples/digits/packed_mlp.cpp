// SPDX-License-Identifier: MIT
#include "packed_mlp.hpp"

#include <algorithm>
#include <array>
#include <cassert>
#include <cstring>
#include <utility>

namespace digits {
namespace {

// The accumulators of a block, kMaxRows x kPanelVectors, must stay in registers together with a row
// of the panel: 32 registers with AVX-512, 16 elsewhere.
#if defined(__AVX512F__)
constexpr std::size_t kMaxRows = 8;
constexpr std::size_t kPanelVectors = 2;
#else
constexpr std::size_t kMaxRows = 4;
constexpr std::size_t kPanelVectors = 3;
#endif
constexpr std::size_t kPanelWidth = kPanelVectors * kVectorWidth;

}  // namespace

const char* vector_instructions() {
  return kVectorWidth == 16 ? "AVX-512" : kVectorWidth == 8 ? "AVX" : "128-bit vectors";
}

std::size_t PackedMlp::PackedLayer::padded_outputs() const { return panels * kPanelWidth; }

// A vector more than they need: at a distance of a page the rows of a block would share one set of the
// first-level cache.
std::size_t PackedMlp::PackedLayer::stride() const { return padded_outputs() + kVectorWidth; }

PackedMlp::PackedMlp(const Network& network) : scratch_width_(kPixels) {
  for (const Layer& layer : network) {
    layers_.push_back(pack(layer, &layer != &network.back()));
    scratch_width_ = std::max(scratch_width_, layers_.back().stride());
  }
}

PackedMlp::PackedLayer PackedMlp::pack(const Layer& layer, bool relu) {
  PackedLayer packed{layer.inputs, (layer.outputs + kPanelWidth - 1) / kPanelWidth, relu, {}, {}};
  packed.bias.resize(packed.panels * kPanelVectors);
  packed.weights.resize(packed.panels * layer.inputs * kPanelVectors);
  for (std::size_t column = 0; column < layer.outputs; ++column) {
    const std::size_t panel = column / kPanelWidth;
    const std::size_t vector = column % kPanelWidth / kVectorWidth;
    const std::size_t lane = column % kVectorWidth;
    packed.bias[panel * kPanelVectors + vector].value[lane] = layer.bias[column];
    Lane* const weights = &packed.weights[panel * layer.inputs * kPanelVectors + vector];
    for (std::size_t input = 0; input < layer.inputs; ++input) {
      weights[input * kPanelVectors].value[lane] = layer.weights[input * layer.outputs + column];
    }
  }
  return packed;
}

// The whole arithmetic: one panel times a block of kRows images.
template <std::size_t kRows>
void PackedMlp::multiply_rows(const PackedLayer& layer, std::size_t panel, const float* from,
                              std::size_t from_stride, float* to) {
  const Lane* weights = &layer.weights[panel * layer.inputs * kPanelVectors];
  Vector sums[kRows][kPanelVectors];
  // Without these pragmas GCC keeps the loops at -O2, and with them the sums in memory.
#pragma GCC unroll 16
  for (std::size_t row = 0; row < kRows; ++row) {
#pragma GCC unroll 16
    for (std::size_t v = 0; v < kPanelVectors; ++v) {
      sums[row][v] = layer.bias[panel * kPanelVectors + v].value;
    }
  }
  for (std::size_t input = 0; input < layer.inputs; ++input, weights += kPanelVectors) {
#pragma GCC unroll 16
    for (std::size_t row = 0; row < kRows; ++row) {
      const float x = from[row * from_stride + input];
#pragma GCC unroll 16
      for (std::size_t v = 0; v < kPanelVectors; ++v) sums[row][v] += weights[v].value * x;
    }
  }
#pragma GCC unroll 16
  for (std::size_t row = 0; row < kRows; ++row) {
#pragma GCC unroll 16
    for (std::size_t v = 0; v < kPanelVectors; ++v) {
      const Vector sum = sums[row][v];
      const Vector result = layer.relu ? (sum > 0.0F ? sum : Vector{}) : sum;
      std::memcpy(to + row * layer.stride() + panel * kPanelWidth + v * kVectorWidth, &result,
                  sizeof(result));
    }
  }
}

void PackedMlp::multiply(const PackedLayer& layer, std::size_t rows, const float* from,
                         std::size_t from_stride, float* to) {
  using Kernel = void (*)(const PackedLayer&, std::size_t, const float*, std::size_t, float*);
  static constexpr auto kKernels = []<std::size_t... kRows>(std::index_sequence<kRows...>) {
    return std::array<Kernel, kMaxRows>{multiply_rows<kRows + 1>...};
  }(std::make_index_sequence<kMaxRows>());

  // A panel stays in the second-level cache while all images pass it. Blocks of equal size waste
  // less than full ones and a small rest.
  const std::size_t blocks = (rows + kMaxRows - 1) / kMaxRows;
  for (std::size_t panel = 0; panel < layer.panels; ++panel) {
    for (std::size_t block = 0; block < blocks; ++block) {
      const std::size_t begin = rows * block / blocks;
      const std::size_t end = rows * (block + 1) / blocks;
      kKernels[end - begin - 1](layer, panel, from + begin * from_stride, from_stride,
                                to + begin * layer.stride());
    }
  }
}

void PackedMlp::predict(std::span<const Image> images, std::span<Prediction> predictions,
                        Scratch& scratch) const {
  assert(images.size() == predictions.size());
  const std::size_t needed = images.size() * scratch_width_;
  if (scratch.from.size() < needed) {
    scratch.from.resize(needed);
    scratch.to.resize(needed);
  }
  float* from = scratch.from.data();
  float* to = scratch.to.data();
  for (std::size_t i = 0; i < images.size(); ++i) {
    std::copy(images[i].begin(), images[i].end(), from + i * kPixels);
  }
  std::size_t stride = kPixels;
  for (const PackedLayer& layer : layers_) {
    multiply(layer, images.size(), from, stride, to);
    stride = layer.stride();
    std::swap(from, to);
  }
  for (std::size_t i = 0; i < images.size(); ++i) {
    predictions[i] = classify(std::span<const float, kClasses>(from + i * stride, kClasses));
  }
}

}  // namespace digits
