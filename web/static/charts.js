/* Draws the charts of a page from its JSON; a click opens the list behind a number. Canvas and text only, so that no style is written into the page. */
(function () {
  "use strict";
  const source = document.getElementById("chart-data");
  if (!source || !window.echarts) return;
  const facts = JSON.parse(source.textContent);
  const look = getComputedStyle(document.documentElement);
  const colour = (name) => look.getPropertyValue(name).trim();
  const font = { fontFamily: colour("--sans"), fontSize: 12, color: colour("--ink-2") };
  const still = window.matchMedia("(prefers-reduced-motion: reduce)").matches;
  const lines = { opened: colour("--blue"), resolved: colour("--green-lamp"), red: colour("--red-lamp") };
  const tip = { renderMode: "richText", backgroundColor: "#17293a", borderWidth: 0, textStyle: { ...font, color: "#fff" } };

  const options = {
    trend: (trend) => ({
      grid: { left: 44, right: 16, top: 38, bottom: 28 },
      legend: { top: 4, left: 8, textStyle: font, icon: "roundRect", itemWidth: 14, itemHeight: 4 },
      tooltip: { ...tip, trigger: "axis" },
      xAxis: { type: "category", data: trend.days, boundaryGap: false, axisLabel: { ...font, formatter: (day) => day.slice(5) }, axisLine: { lineStyle: { color: colour("--line-2") } }, axisTick: { show: false } },
      yAxis: { type: "value", minInterval: 1, axisLabel: font, splitLine: { lineStyle: { color: "#edf0ef" } } },
      series: trend.lines.map((line) => ({
        name: line.name, type: "line", data: line.numbers, symbol: "circle", symbolSize: 6, showAllSymbol: true,
        lineStyle: { width: 2, color: lines[line.kind] }, itemStyle: { color: lines[line.kind] },
        areaStyle: line.kind === "opened" ? { color: lines.opened, opacity: 0.07 } : undefined,
      })),
    }),
    regions: (heat) => {
      const most = Math.max(1, ...heat.cells.map((cell) => cell[2]));
      return {
        grid: { left: 78, right: 16, top: 8, bottom: 52 },
        tooltip: { ...tip, formatter: (at) => `${heat.names[at.value[1]]} · ${heat.groups[at.value[0]]}\n${at.value[2]} 项` },
        xAxis: { type: "category", data: heat.groups, axisLabel: { ...font, interval: 0, formatter: (name) => name.replace(" ", "\n"), width: 70, overflow: "break" }, axisTick: { show: false }, axisLine: { show: false } },
        yAxis: { type: "category", data: heat.names, inverse: true, axisLabel: font, axisTick: { show: false }, axisLine: { show: false } },
        visualMap: { show: false, min: 0, max: most, inRange: { color: ["#f7f8f6", "#fbe9c3", "#f0b860", "#dd7146", "#a9211b"] } },
        series: [{ type: "heatmap", data: heat.cells.map((cell) => ({ value: cell.slice(0, 3), link: cell[3], label: { color: cell[2] > 0.55 * most ? "#fff" : colour("--ink") } })),
          label: { show: true, ...font, formatter: (at) => (at.value[2] ? String(at.value[2]) : "") },
          itemStyle: { borderColor: "#fff", borderWidth: 2, borderRadius: 3 }, emphasis: { itemStyle: { borderColor: colour("--ink") } } }],
      };
    },
  };
  document.querySelectorAll("[data-chart]").forEach((place) => {
    const name = place.dataset.chart;
    if (!facts[name]) return;
    const chart = window.echarts.init(place, null, { renderer: "canvas" });
    chart.setOption({ animation: !still, textStyle: font, ...options[name](facts[name]) });
    chart.on("click", (at) => {
      const link = at.data && at.data.link ? at.data.link : name === "trend" ? facts.trend.lines[at.seriesIndex].links[at.dataIndex] : "";
      if (link) location.assign(link);
    });
    new ResizeObserver(() => chart.resize()).observe(place);
  });
})();
