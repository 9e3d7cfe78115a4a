# SPDX-License-Identifier: MIT
# What is wrong with the arguments, a file or a curve is one line on stderr, and exit code 2.
file(REMOVE_RECURSE ${WORK})
file(MAKE_DIRECTORY ${WORK})

# refused(<regular expression of the message> <argument>...)
function(refused message)
  execute_process(COMMAND ${PLANNER} ${ARGN} TIMEOUT 60
    RESULT_VARIABLE code OUTPUT_VARIABLE out ERROR_VARIABLE err)
  if(NOT code EQUAL 2)
    message(FATAL_ERROR "${ARGN}: exit code ${code}, not 2: ${err}")
  endif()
  if(NOT err MATCHES "^planner: [^\n]+\n$")
    message(FATAL_ERROR "${ARGN}: must be one line, got: ${err}")
  endif()
  if(NOT err MATCHES "${message}")
    message(FATAL_ERROR "${ARGN}: must say '${message}', got: ${err}")
  endif()
  if(NOT out STREQUAL "")
    message(FATAL_ERROR "${ARGN}: nothing belongs on stdout, got: ${out}")
  endif()
endfunction()

set(arrivals --arrivals poisson:100)
set(service --service 1,5)

refused("--arrivals must be given" ${service})
refused("--service must be given" ${arrivals})
refused("there is no option --polcy" ${arrivals} ${service} --polcy greedy)
refused("an option begins with --, got 'greedy'" ${arrivals} ${service} greedy)
refused("--seed needs a value" ${arrivals} ${service} --seed)

refused("--arrivals must be poisson:RATE, .*, got 'normal:3'" ${service} --arrivals normal:3)
refused("RATE must be a number from 0.001 to .*, got 'fast'" ${service} --arrivals poisson:fast)
refused("got '-1'" ${service} --arrivals poisson:-1)
refused("got 'nan'" ${service} --arrivals poisson:nan)
refused("poisson:RATE, got 'poisson:1,2'" ${service} --arrivals poisson:1,2)
refused("mmpp:RATE,STAY_MS" ${service} --arrivals mmpp:100)
refused("at least one RATE above 0" ${service} --arrivals mmpp:0,10)
refused("closed:N,THINK_MS, got 'closed:8'" ${service} --arrivals closed:8)
refused("N must be a whole number from 1 to" ${service} --arrivals closed:0,1)
refused("trace:FILE,SPEEDUP" ${service} --arrivals trace:x.csv)
refused("nowhere.csv: cannot be opened" ${service} --arrivals trace:${WORK}/nowhere.csv,1)
file(WRITE ${WORK}/bad.csv "t\n1\n2\nthree\n")
refused("bad.csv:4: .*got 'three'" ${service} --arrivals trace:${WORK}/bad.csv,1)
file(WRITE ${WORK}/empty.csv "")
refused("empty.csv: holds no arrival" ${service} --arrivals trace:${WORK}/empty.csv,1)
file(WRITE ${WORK}/one.csv "1\n")
refused("more than one instant" ${service} --arrivals trace:${WORK}/one.csv,1)

refused("nowhere.csv: cannot be opened" ${arrivals} --service ${WORK}/nowhere.csv)
refused("A_MS must be a number from 0" ${arrivals} --service -1,5)
refused("--service must be A_MS,T0_MS or a file, got '5'" ${arrivals} --service 5)
refused("--service must be A_MS,T0_MS or a file, got '1,2,3'" ${arrivals} --service 1,2,3)
refused("a batch must take at least 0.000001 ms, got less for size 1" ${arrivals} --service 0,0)
file(WRITE ${WORK}/curve.csv "size,ms\n1,2\n1,3\n")
refused("curve.csv:3: the size must be a whole number of at least 2, got '1'" ${arrivals} --service
  ${WORK}/curve.csv)
file(WRITE ${WORK}/nothing.csv "size,ms\n1,0\n8,4\n")
refused("--service: a batch must take at least 0.000001 ms, got less for size 1" ${arrivals} --service
  ${WORK}/nothing.csv)
file(WRITE ${WORK}/slow.csv "size,ms\n1,quick\n")
refused("slow.csv:2: the time must be .*got 'quick'" ${arrivals} --service ${WORK}/slow.csv)

refused("--max-batch must be a whole number from 1 to 4096, got '0'" ${arrivals} ${service}
  --max-batch 0)
refused("--executors must be .*, got 'two'" ${arrivals} ${service} --executors two)
refused("--objective must be .*, got '0'" ${arrivals} ${service} --objective 0)
refused("--deadlines needs --objective" ${arrivals} ${service} --deadlines)
refused("--requests must be .*, got '5'" ${arrivals} ${service} --requests 5)
refused("--seed must be .*, got '-1'" ${arrivals} ${service} --seed -1)

refused("there is no 'gredy'. there are greedy, " ${arrivals} ${service} --policy gredy)
refused("'hybrid': has no setting 'max_wait'. it has 'size', 'max_wait_ms'" ${arrivals} ${service}
  --policy hybrid:max_wait=2)
refused("max_wait_ms must be milliseconds .*got 'x'" ${arrivals} ${service}
  --policy hybrid:max_wait_ms=x)

# Before the first simulation, which would take minutes.
set(long --policy greedy --requests 100000000)
refused("planner: --policy size:size=64: SizePolicy::size must be from 1 to max_batch_size .32., got 64"
  ${arrivals} ${service} ${long} --policy size:size=64)
refused("--policy time:max_wait_ms=5000: .* must be from 0 to the batcher's max_wait .*, got 5000000000 ns"
  ${arrivals} ${service} ${long} --policy time:max_wait_ms=5000)
refused("--plot: at a load of .* must be above 0 and at most 1e9, got" ${arrivals}
  --service 0.000001,0 --executors 1024 ${long} --plot ${WORK}/fast.svg)
file(WRITE ${WORK}/kept.json "kept")
refused("--plot must be a file that can be written, got '.*nowhere/a.svg': No such file" ${arrivals}
  ${service} ${long} --json ${WORK}/kept.json --plot ${WORK}/nowhere/a.svg)
refused("--plot must be a file that can be written, got '.*': " ${arrivals} ${service} ${long}
  --json ${WORK}/new.json --plot ${WORK})
file(READ ${WORK}/kept.json kept)
if(NOT kept STREQUAL "kept" OR EXISTS ${WORK}/new.json OR EXISTS ${WORK}/fast.svg)
  message(FATAL_ERROR "a file was touched although nothing was simulated")
endif()
refused("--json must be a file that can be written, got '.*nowhere/a.json': No such file" ${arrivals}
  ${service} ${long} --json ${WORK}/nowhere/a.json)
refused("--json and --plot must be two files, got 'a' for both" ${arrivals} ${service} ${long}
  --json a --plot a)

# What a message quotes does not break its line.
refused("there is no 'a.b'" ${arrivals} ${service} --policy "a
b")
